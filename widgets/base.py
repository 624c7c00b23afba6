"""What every widget shares: one class that works with a live kernel and from saved state."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path

import anywidget
import traitlets as t

FRONT = Path(__file__).parent / "js"
WIDGETS: dict[str, type[CourseWidget]] = {}  # every widget class by name

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w./]+)";\n', re.MULTILINE)


def bundle(name: str, included: set[str] | None = None) -> str:
    """The source of one self-contained ES module: `js/name`, with what it imports in front.

    A front end runs from a string, and such a module can import nothing. So each
    `import { … } from "./other.js";` is replaced by that file's text, once.
    """
    included = set() if included is None else included
    if name in included:
        return ""
    included.add(name)
    source = (FRONT / name).read_text("utf-8")
    folder = Path(name).parent
    parts = [bundle((folder / other).as_posix(), included) for other in _IMPORT.findall(source)]
    return "".join(parts) + _IMPORT.sub("", source)


class Number(t.Float):
    """A `Float` that refuses NaN, which its bounds let through."""

    def validate(self, obj, value):
        value = super().validate(obj, value)
        if math.isnan(value):
            self.error(obj, value)
        return value


def within(proposal, low: float, high: float):
    """The value of a proposal to `@validate`, whose bounds depend on the widget's data."""
    if not low <= proposal["value"] <= high:  # NaN, too
        raise t.TraitError(f"{proposal['trait'].name} must be from {low:g} to {high:g}")
    return proposal["value"]


class CourseWidget(anywidget.AnyWidget):
    """Base class: all data in traits, a self-contained front end, a picture for want of JavaScript.

    A subclass names its front end and adds traits:

        class DrawDigit(CourseWidget, front="draw_digit.js"):
            image = ...

    `alt` describes the figure in a sentence. It is the plain-text output, so it must not vary from
    run to run.
    """

    _course_widget = t.Unicode().tag(sync=True)  # the class name: finds the class of a saved state
    alt = "Interactive figure"
    _front = ""

    def __init_subclass__(cls, front: str = "", **kwargs):
        if front:
            cls._front = front
            cls._esm, cls._css = cls.front_end()
            WIDGETS[cls.__name__] = cls
        super().__init_subclass__(**kwargs)

    def __init__(self, *, alt: str | None = None, **traits):
        if alt is not None:
            self.alt = str(alt)
        super().__init__(**traits)

    @t.default("_course_widget")
    def _class_name(self) -> str:
        return type(self).__name__

    @classmethod
    def front_end(cls) -> tuple[str, str]:
        """`(_esm, _css)` as the files are now, to refresh the states that notebooks saved.

        The style is lib/style.css and, for each module of the front end, the .css beside it.
        """
        modules: set[str] = set()
        source = bundle(cls._front, modules)
        sheets = (FRONT / name for name in ("lib/style.css", *sorted(modules)))
        sheets = (sheet.with_suffix(".css") for sheet in sheets)
        return source, "\n".join(s.read_text("utf-8") for s in sheets if s.exists())

    def poster(self) -> bytes | None:
        """PNG shown in the PDF, on GitHub, and where JavaScript is off."""
        return None

    def _repr_mimebundle_(self, **kwargs):
        # None where a front end has no widgets
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data["text/plain"] = self.alt  # the default shows a memory address, which varies
        picture = self.poster()
        if picture:
            data["image/png"] = base64.b64encode(picture).decode("ascii")
            metadata["image/png"] = {"alt": self.alt}
        return data, metadata
