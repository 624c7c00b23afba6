"""Static pictures of digits; those of curves are figures of `utils.plots`."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from utils import plots

from .pictures import SIDE

GAP = 2


def digit_sheet(pictures: np.ndarray, gap: int = GAP) -> np.ndarray:
    """Pictures (rows, columns, 28, 28) in [0, 1] as one RGB sheet in [0, 1], `gap` pixels apart.

    A picture of NaN leaves its place empty.
    """
    rows, columns = pictures.shape[:2]
    room = np.pad(pictures, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    sheet = room.transpose(0, 2, 1, 3).reshape(rows * (SIDE + gap), columns * (SIDE + gap))
    sheet = sheet[: rows * (SIDE + gap) - gap, : columns * (SIDE + gap) - gap, None]
    dark = np.array(to_rgb(plots.DARK))
    return np.where(np.isnan(sheet), 1, dark + sheet * (1 - dark))


def digit_table(pictures: np.ndarray, rows=(), columns=()) -> bytes:
    """A PNG of such a sheet with a name before each row and above each column, or none."""
    sheet = digit_sheet(np.asarray(pictures))
    room = 1.8 if rows else 0  # inches
    width = min(7.2 - room, sheet.shape[1] / 30)
    height = width * sheet.shape[0] / sheet.shape[1] + (0.3 if columns else 0)
    fig, ax = plots.figure(width=width + room, height=height)
    ax.imshow(sheet)
    ax.set_yticks(SIDE / 2 + (SIDE + GAP) * np.arange(len(rows)), rows)
    ax.set_xticks(SIDE / 2 + (SIDE + GAP) * np.arange(len(columns)), columns)
    ax.tick_params(length=0, labelsize=10, labeltop=True, labelbottom=False)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return fig.png(32)
