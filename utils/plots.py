"""One look for all figures.  Functions return a Figure, never show it and set no global state.

A figure that is the last expression of a cell is displayed as a crisp, small PNG on an opaque
light ground, so that it reads equally well on a dark page.
"""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as MplFigure
from PIL import Image

# Okabe & Ito's palette (2008), told apart by colour-blind readers; black text on white.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#F0E442"
GREY = "#6b7280"
DIVERGING = "RdBu_r"
# For pictures of digits on a dark ground: the ground, and a colour for each digit, three of them
# beside Okabe & Ito's.  Each is drawn with its numeral, so that no reader depends on the colour.
DARK = "#0c1017"
DIGITS = [
    *("#56b4e9", "#f5a623", "#2ec4a0", "#f0e442", "#7aa2ff"),
    *("#ff8a5c", "#e79ac4", "#d5dae2", "#b79cff", "#a8d65c"),
]

_STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
}
_DPI = 160  # twice the size on the page, for dense screens


class Figure(MplFigure):
    """A matplotlib figure that displays itself as one palette PNG, also outside pyplot."""

    def png(self, colours: int = 128) -> bytes:
        """Return it as a PNG of so many colours, ``_DPI`` pixels an inch."""
        raw, out = io.BytesIO(), io.BytesIO()
        with mpl.rc_context(_STYLE):
            self.savefig(raw, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.12)
        picture = Image.open(raw).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        picture.save(out, "PNG", optimize=True)
        return out.getvalue()

    def _repr_mimebundle_(self, **kwargs):
        data = self.png()
        width, height = Image.open(io.BytesIO(data)).size
        size = {"width": width // 2, "height": height // 2}
        return {"image/png": data, "text/plain": "<Figure>"}, {"image/png": size}


def figure(rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.2, **kwargs):
    """Return (Figure, axes) in the course's style; ``axes`` as from ``plt.subplots``.

    ``width`` and ``height`` are in inches; other arguments go to ``Figure.subplots``.
    """
    with mpl.rc_context(_STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        return fig, fig.subplots(rows, columns, **kwargs)


def mosaic(ax, images, titles=None, *, columns: int = 10, limit=None) -> None:
    """Draw small pictures in rows on one Axes, which is a hundred times faster than one Axes each.

    images: (N, H, W), in [0, 1] unless ``limit`` is given: then [-limit, limit], drawn with a
    diverging map.  titles: N short strings above the pictures, or None.  Raises ValueError for
    other shapes.
    """
    images = np.asarray(images)
    if images.ndim != 3 or (titles is not None and len(titles) != len(images)):
        raise ValueError(f"mosaic takes (N, H, W) and N titles, not {images.shape}")
    count, height, width = images.shape
    rows = -(-count // columns)
    gap, room = width // 14, 0 if titles is None else height // 3  # pixels between; for a title
    canvas = np.zeros((rows * (height + gap + room), columns * (width + gap)))  # 0 is white
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap + room) + room, (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
        if titles is not None:
            place = (left + width / 2, top - room * 0.25)
            ax.text(*place, titles[i], ha="center", va="bottom", fontsize=9)
    low, high, colours = (0, 1, "gray_r") if limit is None else (-limit, limit, DIVERGING)
    ax.imshow(canvas, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    ax.axis("off")


def image_grid(images, titles=None, *, columns: int = 10, size: float = 0.72, limit=None):
    """Return a figure of small pictures in rows, each ``size`` inches wide; see ``mosaic``."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    tall = size * (1.08 if titles is None else 1.4)
    fig, ax = figure(width=columns * size, height=rows * tall)
    mosaic(ax, images, titles, columns=columns, limit=limit)
    return fig


def flow(boxes, links, *, width: float = 8.2):
    """Return a block diagram: text in boxes, and arrows between them.

    boxes: name -> (x, y) or (x, y, text), of the box's middle; the text is the name unless given.
    x and y are in the same unit, of any size.
    links: (from, to) or (from, to, options), of which there are ``label``, a text in the middle of
    the arrow; ``color``; ``ls``, its line style; and ``bend``, by how much of its length it bows to
    the left of its direction.  Two arrows between the same boxes need a bend.
    width: in inches; up to 8.2, text has 9 points or more where the picture is 690 pixels wide.

    Raises ValueError for a link to a box that is not there.
    """
    places = np.array([place[:2] for place in boxes.values()], dtype=float)
    low, high = places.min(axis=0), places.max(axis=0)
    wide = (high - low)[0]
    scale = (width - 1.4) / wide if wide else 1  # inches a unit, with room for half a box
    margin = np.array([0.7, 0.4]) / scale
    fig, ax = figure(width=width, height=scale * (high - low + 2 * margin)[1])
    (left, bottom), (right, top) = low - margin, high + margin
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    ax.axis("off")
    middle = {"ha": "center", "va": "center", "fontsize": 11}
    style = {"boxstyle": "round,pad=0.4", "fc": "white", "ec": GREY}
    drawn = {
        name: ax.text(*place[:2], place[2] if place[2:] else name, bbox=style, **middle)
        for name, place in boxes.items()
    }
    for start, end, *options in links:
        if not {start, end} <= drawn.keys():
            raise ValueError(f"a link from {start!r} to {end!r}, but the boxes are {list(boxes)}")
        arrow = {"label": "", "color": BLUE, "ls": "-", "bend": 0.0} | dict(*options)
        label, bend = arrow.pop("label"), arrow.pop("bend")
        (x0, y0), (x1, y1) = drawn[start].get_position(), drawn[end].get_position()
        ends = {"patchA": drawn[start].get_bbox_patch(), "patchB": drawn[end].get_bbox_patch()}
        arrow |= {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={-bend}", "lw": 1.6, **ends}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops={"shrinkA": 2, "shrinkB": 2, **arrow})
        if label:  # on the curve, half as far aside as the point that bends it
            x, y = (x0 + x1 - bend * (y1 - y0)) / 2, (y0 + y1 + bend * (x1 - x0)) / 2
            ax.text(x, y, label, bbox={"fc": "white", "ec": "none", "pad": 1.5}, **middle)
    return fig
