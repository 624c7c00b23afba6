"""The book's Sphinx extension: what Jupyter Book does not do by itself.

1. A widget's static picture stands beside it, with alternative text: readers see it until the
   widget has started, and for good where JavaScript is off.  A chapter's main figure stands twice:
   where its cell is, and in place of the picture that opens the chapter.  ``{course-figure}`` puts
   it on another page.
2. The widgets' saved state, up to a megabyte, moves to the end of the page, behind the text.
3. Thebe's scripts are removed: the book does not use them, they would load from a CDN, and they
   declare the same constant twice (a SyntaxError on every page).
4. MathJax is copied into the site from the pip package ``sphinx-mathjax-offline``.
5. ``{course-results}`` tabulates the results that the committed notebooks recorded.
6. Folded cells say what they hold: a solution (tag ``hide-cell``) or code (``hide-input``).
7. ``[words](glossary.md#term-words)`` is a link to an entry of the glossary, on Colab, too.
8. Small repairs of the HTML that accessibility and small screens need and no setting offers.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # jupyter-book starts in a venv that knows nothing of utils/

from book import records  # noqa: E402  (the standard library only: no torch in a book build)
from utils import results  # noqa: E402

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
NO_SCRIPT = (
    '<noscript><p class="course-note">This is a picture of an interactive figure: '
    "turn JavaScript on to use it.</p></noscript>"
)

FOLDED = (
    '<details class="course-poster" open>'
    "<summary>The picture that the text below describes</summary>"
)
# Our words for what a cell folds, by the last of myst-nb's own ("Show code cell source").
FOLDED_CELLS = {"content": "solution", "source": "the code", "output": "the output"}
NO_RESULTS = "No results yet: the chapter has not been run in full."
FIRST_FIGURE = "first-figure"  # the tag of the cell whose figure opens the chapter

SIZE = re.compile(r'style="width: (\d+)px; height: (\d+)px;"')  # docutils writes it into <img>

# What a page needs of MathJax, 2 MB of the package's 17.  A missing TeX extension would stop all
# the maths of a page, so the extensions are copied whole.
MATHJAX = ("tex-mml-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


# ------------------------------------------------------------------------------------- notebooks


def drop_records(app, docname: str, source: list[str]) -> None:
    """Take the result records out of a notebook before myst-nb reads it.

    They are for programs; myst-nb knows no such MIME type and would warn, and the build treats
    warnings as errors.  The notebook that readers download is the file itself and keeps them.
    """
    if results.MIME not in source[0]:
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(results.MIME, None)
    source[0] = json.dumps(notebook)


def main_figure(notebook: Path) -> tuple[dict, dict]:
    """Return a chapter's main interactive figure: the data of its output, and its saved state.

    It is that of the cell tagged ``first-figure``, else the first.  Raises LookupError where the
    chapter has none.
    """
    content = json.loads(notebook.read_text(encoding="utf8"))
    found = [
        (FIRST_FIGURE in cell["metadata"].get("tags", []), output["data"])
        for cell in content["cells"]
        for output in cell.get("outputs", [])
        if VIEW in output.get("data", {})
    ]
    if not found:
        raise LookupError(f"{notebook.name} has no interactive figure")
    data = max(found, key=lambda pair: pair[0])[1]  # max() gives the first of several
    model = data[VIEW]["model_id"]
    return data, {"state": {model: content["metadata"]["widgets"][STATE]["state"][model]}}


def json_script(kind: str, content: dict) -> str:
    """Return ``content`` as a script of JSON; ``kind`` is its MIME type."""
    text = json.dumps(content).replace("</", "<\\/")  # "</script>" would end it
    return f'<script type="{kind}">{text}</script>'


def live_figure(view: str, poster: list[nodes.Node]) -> nodes.container:
    """Return what course/widgets.js starts: the script ``view`` and, until then, the poster."""
    widget = nodes.container(classes=["course-widget"])
    widget.extend(poster)
    widget += nodes.raw(text=view, format="html")
    return widget


def picture(image: nodes.image) -> list[nodes.Node]:
    """Return a figure's picture, and the words for readers without JavaScript."""
    image["classes"] = [*image.get("classes", []), "dark-light"]  # the theme does not dim it
    return [image, nodes.raw(text=NO_SCRIPT, format="html")]


class LiveFigures(SphinxTransform):
    """Wrap each widget with its static picture, and open a chapter with its main figure.

    The n-th figure of ``chapters/01_name`` gets the reference label ``widget-01`` (n = 1) or
    ``widget-01-n``, so that other pages can link to it.  myst-nb keeps one MIME type of an output,
    here the widget's, so what is put into that container survives.
    """

    default_priority = 500  # anywhere between parsing and the collection of labels (880)

    def apply(self, **kwargs) -> None:
        chapter = re.match(r"chapters/(\d\d)_", self.env.docname)
        figures = self._opening() if chapter else []
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            by_type = {child.get("mime_type"): child for child in bundle.children}
            if VIEW in by_type:
                figures.append(self._wrap(by_type))
                by_type[VIEW].children = []
                by_type[VIEW] += figures[-1]
        for count, figure in enumerate(figures if chapter else [], 1):
            figure["names"].append(f"widget-{chapter[1]}" + (f"-{count}" if count > 1 else ""))
            self.document.note_explicit_target(figure)

    def _opening(self) -> list[nodes.container]:
        """Put the main figure in place of the picture that opens the chapter.

        The picture stays: open until the figure has started, then folded below it.
        """
        path = Path(self.env.doc2path(self.env.docname))
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(f"images/{path.stem}.png"):
                try:
                    data, _ = main_figure(path)
                except LookupError:  # its outputs were cleared: the picture stays
                    return []
                folded = nodes.raw(text=FOLDED, format="html")
                end = nodes.raw(text="</details>", format="html")
                figure = live_figure(
                    json_script(VIEW, data[VIEW]), [folded, *picture(image.deepcopy()), end]
                )
                image.parent.replace_self(figure)  # the paragraph
                return [figure]
        return []

    def _wrap(self, by_type: dict) -> nodes.container:
        """Return the container that replaces the bare ``<script>`` of a widget."""
        text = by_type.get("text/plain")
        words = text.astext() if text is not None else "Interactive figure"
        poster = nodes.container(classes=["course-poster"])
        for image in by_type["image/png"].findall(nodes.image) if "image/png" in by_type else ():
            image = image.deepcopy()
            image["alt"] = image.get("alt") or words
            poster += picture(image)
        if not poster.children:
            poster += nodes.paragraph(text=words)
        return live_figure(by_type[VIEW].astext(), [poster])


def name_terms(app, doctree) -> None:
    """Let Markdown links lead to a term of a glossary by its id, as they do to headings."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for term in doctree.findall(nodes.term):
        slugs.update({name: (term.line, name, term.astext()) for name in term["ids"]})


class FoldedCells(SphinxPostTransform):
    """Give the cells that are folded (myst-nb makes ``<details>`` of them) words of our own."""

    default_priority = 200  # right after myst-nb has folded them
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for fold in self.document.findall(HideCodeCellNode):
            what = FOLDED_CELLS[fold["prompt_show"].split()[-1]]
            fold["prompt_show"], fold["prompt_hide"] = f"Show {what}", f"Hide {what}"


# -------------------------------------------------------------------------------------- the page


def unplug_thebe(app, config) -> None:
    """Disconnect everything that sphinx-thebe, which Jupyter Book always loads, listens to."""
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler.__module__.split(".")[0] == "sphinx_thebe":
                app.disconnect(listener.id)


def move_state(app, pagename, templatename, context, doctree) -> None:
    """Put the widgets' saved state behind the text, which it would hold up in the head."""
    if notebook := app.env.metadata.get(pagename, {}).get(CourseFigure.name):
        for uri, attributes in app.config.nb_ipywidgets_js.items():
            app.add_js_file(uri, **attributes)
        context["body"] += json_script(STATE, main_figure(Path(notebook))[1])
    scripts = context.get("script_files", [])
    state = [s for s in scripts if getattr(s, "attributes", {}).get("type") == STATE]
    if state and "body" in context:
        context["script_files"] = [s for s in scripts if s not in state]
        for script in state:
            context["body"] += f'<script type="{STATE}">{script.attributes["body"]}</script>'


def repair_page(app, pagename, templatename, context, doctree) -> None:
    """Mend what sphinx-thebe and docutils leave in a page, see the module's points 3 and 8."""
    context["css_files"] = [
        sheet
        for sheet in context.get("css_files", [])
        if "thebe" not in str(getattr(sheet, "filename", sheet))
    ]
    if "body" in context:
        # A bibliography is announced as a list whose entries have a role that ARIA 1.3 withdrew.
        context["body"] = (
            context["body"]
            .replace('<div role="list" class="citation-list">', '<div class="citation-list">')
            .replace(' role="doc-biblioentry"', "")
            # It would hide from screen readers what a folded cell holds.
            .replace('<summary aria-label="Toggle hidden content">', "<summary>")
        )
        # An inline height would beat the style sheet's "auto" and stretch a picture that is
        # narrowed.  As attributes the two numbers only reserve the picture's place.
        context["body"] = SIZE.sub(r'width="\1" height="\2"', context["body"])


def copy_mathjax(app, exception) -> None:
    """Copy MathJax from the installed package into the site's static folder."""
    if exception is not None or app.builder.format != "html":
        return
    spec = importlib.util.find_spec("sphinx-mathjax-offline")  # its folder's name has hyphens
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("MathJax is missing: pip install -r requirements-book.txt")
    source = Path(spec.submodule_search_locations[0], "static", "mathjax")
    target = Path(app.outdir, "_static", "mathjax")
    for part in MATHJAX:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target / part)


# ------------------------------------------------------------------------------------ directives


class CourseFigure(SphinxDirective):
    """``{course-figure} 01``: the main figure of chapter 1, from the state in its notebook."""

    name = "course-figure"
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (notebook,) = (ROOT / "chapters").glob(f"{self.arguments[0]}_*.ipynb")
        self.env.note_dependency(str(notebook))
        try:
            data, _ = main_figure(notebook)
        except LookupError:  # its outputs were cleared
            return [nodes.paragraph(text="The figure stands here once its chapter has been run.")]
        self.env.metadata[self.env.docname][self.name] = str(notebook)  # see move_state
        png = data["image/png"].replace("\n", "")
        image = nodes.image(uri=f"data:image/png;base64,{png}", alt="".join(data["text/plain"]))
        poster = nodes.container("", *picture(image), classes=["course-poster"])
        return [live_figure(json_script(VIEW, data[VIEW]), [poster])]


class CourseResults(SphinxDirective):
    """``{course-results}``: one table per chapter, from the records in its committed notebook."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        section = nodes.container(classes=["course-results-all"])
        for record in records.collect(ROOT / "chapters"):
            self.env.note_dependency(str(record["path"]))
            section += self._table(record)
        return [section]

    def _table(self, record: dict) -> nodes.table:
        """Return one chapter's table, its caption a link to the chapter.

        Built from nodes, not from Markdown: a label may hold any character.
        """
        link = f"[{record['title']}](/chapters/{record['path'].name})"
        caption, _ = self.state.inline_text(link, self.lineno)
        group = nodes.tgroup(cols=len(results.HEAD))
        group += [nodes.colspec(colwidth=1) for _ in results.HEAD]
        head, body = nodes.thead(), nodes.tbody()
        head += self._row([nodes.Text(text) for text in results.HEAD])
        if not record["results"]:
            body += self._row([nodes.Text(text) for text in (NO_RESULTS, *[""] * 5)])
        for row in record["results"]:
            label, value, *others = map(nodes.Text, results.cells(row))
            line = self._row([label, nodes.strong("", "", value), *others])
            if cite := row["anchor"]["cite"]:
                found, _ = self.state.inline_text(f"{{cite:p}}`{cite}`", self.lineno)
                line[-1][0] += [nodes.Text(" "), *found]
            body += line
        group += [head, body]
        return nodes.table("", nodes.title("", "", *caption), group, classes=["course-results"])

    @staticmethod
    def _row(contents: list[nodes.Node]) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in contents))


def setup(app):
    """Connect all of the above."""
    app.connect("config-inited", unplug_thebe)
    app.connect("source-read", drop_records)
    app.connect("doctree-read", name_terms)
    app.add_transform(LiveFigures)
    app.add_post_transform(FoldedCells)
    app.add_directive(CourseFigure.name, CourseFigure)
    app.add_directive("course-results", CourseResults)
    # After the theme (500), which adds its own scripts and rewrites parts of the body.
    app.connect("html-page-context", move_state, priority=900)
    app.connect("html-page-context", repair_page, priority=901)
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
