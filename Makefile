# 'make book' builds the book, 'make test' runs every test; both install what they need first.
#
# Other Python:   make book PYTHON=python3.12
# Each target says why its odd lines are there.  Recipes need only a POSIX shell, pip and venv.

PYTHON ?= python3

# CI tests the exact versions of constraints.txt on Python 3.11; elsewhere the ranges decide.
CONSTRAIN = $$($(PYTHON) -c 'import sys; print("-c constraints.txt" * (sys.version_info[:2] == (3, 11)))')
# Nothing is compiled beforehand: Python does it for what is imported, a fraction of it.
PIP_INSTALL = -m pip install --quiet --no-compile --disable-pip-version-check $(CONSTRAIN)

# A folder of its own for the book: it needs no torch, so it is ready in a minute.
BOOK := .venv-book
FULL := .venv

# Every tool is called through Python: a tool's own script names the folder that it was installed
# in, and stops when the course's folder is renamed.  An environment whose Python does not start
# (that of the system is gone) is made anew.
$(foreach env,$(BOOK) $(FULL),$(if $(wildcard $(env)/installed),\
  $(shell $(env)/bin/python -c "" 2>/dev/null || rm -rf $(env))))

define BUILD
@echo "== Building the book"
$(1)/bin/python -m book.build
@echo
@echo "The book is built. Open: file://$(CURDIR)/_build/html/index.html"
endef

.PHONY: help book test test-fast notebooks browser lint clean

# The first target is what a bare 'make' does: nothing but explain.
help:
	@echo "make book        build the book into _build/html (about a minute the first time)"
	@echo "make test        all tests, with a browser; installs torch the first time"
	@echo "make test-fast   the tests that need neither a browser nor minutes"
	@echo "make lint        style and common errors: ruff for Python, oxlint for JavaScript"
	@echo "make notebooks   run all chapters in full and write their outputs back"
	@echo "make clean       remove what was built; 'make clean-all' the environments, too"

book: $(BOOK)/installed
	$(call BUILD,$(BOOK))

# One process per core, with one thread each, so that they do not fight over the cores; a
# notebook stays in one process.  What measures time runs afterwards, with nothing beside it.
PYTEST = $(FULL)/bin/python -m pytest --durations=10
PARALLEL = OMP_NUM_THREADS=1 $(PYTEST) --numprocesses=logical

test: $(FULL)/installed browser
	$(call BUILD,$(FULL))
	@echo "== The chapters, reduced, cell by cell against their published outputs"
	$(PARALLEL) --dist=loadfile --nbval chapters
	@echo "== The tests of everything else, in as many processes as there are cores"
	$(PARALLEL) --dist=worksteal -m "not alone"
	@echo "== The tests that measure time, one after the other"
	$(PYTEST) -m alone

# Leaves the browser out by name; builds the book only where a test asks for it.
test-fast: $(FULL)/installed
	$(PYTEST) -m "not browser and not slow"

notebooks: $(FULL)/installed
	$(FULL)/bin/python -m book.notebooks execute full

lint: $(FULL)/installed node_modules/installed
	$(FULL)/bin/python -m ruff check .
	$(FULL)/bin/python -m ruff format --check .
	node_modules/.bin/oxlint --deny-warnings widgets/js book/static

# The stamps make the second run quick: pip is asked again only when a list has changed.
$(BOOK)/installed: requirements-book.txt constraints.txt
	@echo "== Installing what the book needs into $(BOOK) (a minute)"
	$(PYTHON) -m venv $(BOOK)
	$(BOOK)/bin/python $(PIP_INSTALL) -r requirements-book.txt
	@touch $@

# With a setting that Jupyter looks for there: a page that it makes shows each figure's picture.
$(FULL)/installed: requirements.txt requirements-book.txt constraints.txt book/jupyter_config.json
	@echo "== Installing everything into $(FULL) (four minutes)"
	$(PYTHON) -m venv $(FULL)
	$(FULL)/bin/python $(PIP_INSTALL) -r requirements.txt
	@mkdir -p $(FULL)/etc/jupyter && cp book/jupyter_config.json $(FULL)/etc/jupyter
	@touch $@

# Only 'make lint' needs Node.js: the figures are plain modules, which nothing compiles.
node_modules/installed: package.json package-lock.json
	@command -v npm >/dev/null || { echo "No npm: install Node.js to check the JavaScript." >&2; exit 1; }
	npm ci --no-audit --no-fund --silent
	@touch $@

# The tests take the machine's Chromium, else Playwright's own.  As root on Debian the package is
# installed; elsewhere (and on Ubuntu, whose package is an empty shell) Playwright downloads its own.
browser: $(FULL)/installed
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium with apt-get"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	fi; \
	command -v chromium >/dev/null || $(FULL)/bin/python -m playwright install chromium || { \
	  echo "No browser: install Chromium, or run 'make test-fast', which leaves it out." >&2; \
	  exit 1; \
	}

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path "./.venv*" -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean
	rm -rf $(BOOK) $(FULL) node_modules
