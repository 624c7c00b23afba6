"""A chapter's own code for the tests: run without a kernel, in whole cells or name by name."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io

import nbformat
import papermill

from book import notebooks

IGNORED = {"nbval-ignore-output", "nbval-skip"}


def read(number: str) -> nbformat.NotebookNode:
    """Return the notebook of chapter ``number`` ("01" to "09")."""
    return nbformat.read(notebooks.chapters([number])[0], 4)


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def names(tree: ast.Module | ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that statements define for others, and those they need from others."""
    nodes = list(ast.walk(tree))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    stored |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    stored |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    imports = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    stored |= {(a.asname or a.name).split(".")[0] for n in imports for a in n.names}
    loaded = {n.id for n in nodes if isinstance(n, ast.Name)} - stored - set(dir(builtins))
    defined = set()
    for statement in tree.body if isinstance(tree, ast.Module) else [tree]:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            defined.add(statement.name)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            defined |= {(a.asname or a.name).split(".")[0] for a in statement.names}
        else:
            defined |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} & stored
            for target in getattr(statement, "targets", []):  # "a[i] = 0" is part of what a is
                defined |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return defined, loaded


def definitions(number: str, *wanted: str, **given) -> dict:
    """Return what chapter ``number`` defines under the names ``wanted``, in one namespace.

    Only the statements that define these names, and what those need, are executed; the names in
    ``given`` have the values given instead.  Raises NameError for a name that is not in the
    chapter.
    """
    code = [c.source for c in read(number).cells if c.cell_type == "code"]
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.Import, ast.ImportFrom)
    needed, chosen = set(wanted) - set(given), []
    for statement in reversed(ast.parse("\n".join(code)).body):
        defined, loaded = names(statement)
        if isinstance(statement, kinds) and defined & needed:
            chosen.append(statement)
            needed |= loaded - set(given)
    namespace = {"__name__": "__main__", **given}
    exec(compile(ast.Module(chosen[::-1], []), f"chapter {number}", "exec"), namespace)
    for name in wanted:
        if name not in namespace:
            raise NameError(f"chapter {number} defines no {name}")
    return namespace


def strict_cells(nb) -> list:
    """Return the set-up, the parameters, and each strict text cell that needs only such cells."""
    cells, known = [], set()
    for cell in nb.cells:
        if cell.cell_type != "code" or "hide-cell" in tags(cell):
            continue
        defined, needed = names(ast.parse(cell.source))
        strict = not tags(cell) & IGNORED and not any("data" in o for o in cell.outputs)
        if "REPOSITORY" in cell.source or (strict and needed <= known):
            cells.append(cell)
            known |= defined
    return cells


def first_red(cells, number: str, change=("", "")) -> str | None:
    """Run cells one after the other; return the first that prints other than it is to, or fails.

    change: (right, wrong), replaced in the source of every cell.
    """
    namespace = {"__name__": "__main__"}
    for cell in cells:
        printed = io.StringIO()
        source = cell.source.replace(*change) if change[0] else cell.source
        code = compile(source, f"chapter {number}", "exec")  # a slip of the pen is no planted bug
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
        except Exception as error:
            return f"{error!r} in\n{source}"
        expected = "".join(o.get("text", "") for o in cell.outputs if o.get("name") == "stdout")
        if not tags(cell) & IGNORED and printed.getvalue() != expected:
            return f"printed {printed.getvalue()!r}, not {expected!r}, in\n{source}"
    return None


def changed_when_run_again(number: str) -> list[str]:
    """Run a chapter reduced and then each cell again, from the last to the first.

    Returns the strict cells that print something else the second time.  Raises papermill's error
    where a cell fails.
    """
    (path,) = notebooks.chapters([number])
    nb = nbformat.read(path, 4)
    code = {c.id: c for c in nb.cells if c.cell_type == "code" and "parameters" not in tags(c)}
    nb.cells += [
        nbformat.v4.new_code_cell(cell.source, metadata={"again": name})
        for name, cell in reversed(code.items())
    ]
    done = papermill.execute_notebook(
        nb,
        None,
        notebooks.quick_parameters(path),
        cwd=str(path.parent),
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=600,
    )

    def printed(cell) -> str:
        return "".join(o.text for o in cell.outputs if o.get("name") == "stdout")

    first = {c.id: printed(c) for c in done.cells if c.cell_type == "code"}
    twins = [c for c in done.cells if "again" in c.metadata]
    assert len(twins) == len(code)
    return [
        f"{first[c.metadata.again]!r}, then {printed(c)!r}, by\n{c.source}"
        for c in twins
        if not tags(code[c.metadata.again]) & IGNORED and first[c.metadata.again] != printed(c)
    ]
