"""Digits as people draw them, with slants, hooks, open loops and uneven corners.

STROKES[digit] is a list of ways to write the digit; a way is a list of strokes; a stroke is a list
of points (x, y) with 0 <= x, y <= 1, y downward. `draw_with_mouse` draws them on a page, `draw`
does it a hundred times as fast.
"""

from __future__ import annotations

from math import cos, radians, sin

Point = tuple[float, float]
Stroke = list[Point]


def arc(cx, cy, rx, ry, start, end, tilt=0.0, steps=14) -> Stroke:
    """Part of an ellipse. Angles in degrees, 0 to the right, 90 down (clockwise on the screen)."""
    points = []
    for k in range(steps + 1):
        a = radians(start + (end - start) * k / steps)
        x, y = rx * cos(a), ry * sin(a)
        c, s = cos(radians(tilt)), sin(radians(tilt))
        points.append((cx + c * x - s * y, cy + s * x + c * y))
    return points


STROKES: dict[int, list[list[Stroke]]] = {
    0: [
        [arc(0.5, 0.5, 0.24, 0.38, -90, -450)],
        [arc(0.5, 0.5, 0.2, 0.4, -70, -440, tilt=14)],
        [arc(0.5, 0.5, 0.34, 0.36, -110, 235)],  # round, not quite closed
        [arc(0.48, 0.5, 0.17, 0.38, -60, -400, tilt=-6)],
    ],
    1: [
        [[(0.5, 0.1), (0.5, 0.5), (0.49, 0.9)]],
        [[(0.62, 0.1), (0.52, 0.45), (0.4, 0.9)]],  # slanted
        [[(0.36, 0.28), (0.45, 0.2), (0.52, 0.1), (0.51, 0.5), (0.5, 0.9)]],  # with a small flag
        [[(0.47, 0.12), (0.5, 0.4), (0.55, 0.9)]],  # leaning back
    ],
    2: [
        [
            arc(0.48, 0.32, 0.23, 0.21, -160, 40)
            + [(0.52, 0.62), (0.36, 0.76), (0.25, 0.87), (0.5, 0.87), (0.78, 0.86)]
        ],
        [  # with a loop below
            arc(0.5, 0.3, 0.22, 0.2, -170, 50)
            + [(0.5, 0.62), (0.36, 0.8)]
            + arc(0.33, 0.79, 0.09, 0.08, 60, 330)
            + [(0.55, 0.84), (0.78, 0.86)]
        ],
        [  # angular
            [(0.26, 0.26), (0.4, 0.13), (0.6, 0.13), (0.7, 0.28), (0.62, 0.46)]
            + [(0.42, 0.68), (0.24, 0.88), (0.76, 0.88)]
        ],
    ],
    3: [
        [arc(0.46, 0.3, 0.22, 0.19, -150, 80) + arc(0.45, 0.68, 0.27, 0.21, -85, 150)],
        [  # flat top
            [(0.27, 0.13), (0.5, 0.12), (0.7, 0.13), (0.58, 0.3), (0.45, 0.44)]
            + arc(0.45, 0.66, 0.25, 0.22, -80, 150)
        ],
        [  # with a nook in the middle
            arc(0.5, 0.3, 0.2, 0.18, -165, 85)
            + [(0.44, 0.48)]
            + arc(0.49, 0.69, 0.23, 0.2, -90, 165)
        ],
    ],
    4: [
        [  # open, two strokes
            [(0.32, 0.12), (0.28, 0.36), (0.27, 0.52), (0.5, 0.54), (0.74, 0.51)],
            [(0.68, 0.12), (0.66, 0.5), (0.64, 0.9)],
        ],
        [  # closed, two strokes
            [(0.58, 0.1), (0.42, 0.34), (0.22, 0.62), (0.5, 0.62), (0.8, 0.6)],
            [(0.6, 0.12), (0.6, 0.5), (0.6, 0.9)],
        ],
        [  # like a chair, slanted
            [(0.36, 0.14), (0.28, 0.34), (0.24, 0.5), (0.42, 0.52), (0.68, 0.46)],
            [(0.72, 0.16), (0.62, 0.5), (0.52, 0.9)],
        ],
    ],
    5: [
        [  # body, then the roof
            [(0.34, 0.13), (0.32, 0.3), (0.31, 0.45)] + arc(0.45, 0.65, 0.24, 0.22, -115, 140),
            [(0.34, 0.13), (0.52, 0.13), (0.72, 0.12)],
        ],
        [  # in one line
            [(0.74, 0.14), (0.55, 0.13), (0.37, 0.15), (0.34, 0.3), (0.31, 0.45)]
            + arc(0.46, 0.65, 0.23, 0.22, -125, 150)
        ],
        [  # slanted
            [(0.8, 0.12), (0.6, 0.13), (0.45, 0.15), (0.39, 0.3), (0.35, 0.43)]
            + arc(0.44, 0.64, 0.2, 0.23, -110, 130, tilt=12)
        ],
    ],
    6: [
        [
            [(0.64, 0.12), (0.5, 0.22), (0.38, 0.38), (0.31, 0.56)]
            + arc(0.49, 0.68, 0.2, 0.2, 190, -170)
        ],
        [  # upright
            [(0.46, 0.1), (0.36, 0.3), (0.31, 0.52), (0.31, 0.7)]
            + arc(0.48, 0.71, 0.17, 0.18, 180, -175)
        ],
        [  # wide curve
            arc(0.62, 0.55, 0.33, 0.43, -85, -180) + arc(0.49, 0.67, 0.2, 0.2, 170, -185)
        ],
    ],
    7: [
        [[(0.26, 0.14), (0.5, 0.14), (0.74, 0.13), (0.64, 0.34), (0.52, 0.6), (0.44, 0.9)]],
        [  # with a hook
            [(0.28, 0.25), (0.28, 0.14), (0.5, 0.13), (0.76, 0.14), (0.62, 0.4), (0.5, 0.9)]
        ],
        [  # round corner, leaning
            [(0.24, 0.18), (0.5, 0.13)]
            + arc(0.62, 0.23, 0.11, 0.1, -90, 0)
            + [(0.64, 0.45), (0.52, 0.68), (0.36, 0.9)]
        ],
    ],
    8: [
        [  # in one line
            arc(0.5, 0.3, 0.18, 0.18, -45, -270)
            + arc(0.5, 0.69, 0.21, 0.21, -90, 270)
            + arc(0.5, 0.3, 0.18, 0.18, 90, -45)
        ],
        [  # two circles
            arc(0.5, 0.3, 0.17, 0.18, 90, 450),
            arc(0.5, 0.69, 0.22, 0.21, -90, 270),
        ],
        [  # slanted, an S that closes
            [(0.68, 0.2), (0.58, 0.12), (0.46, 0.14), (0.42, 0.27), (0.52, 0.44), (0.6, 0.6)]
            + arc(0.47, 0.71, 0.14, 0.17, -10, 190)
            + [(0.4, 0.56), (0.54, 0.42), (0.68, 0.28), (0.68, 0.2)]
        ],
    ],
    9: [
        [  # straight stem
            arc(0.46, 0.31, 0.19, 0.2, -20, -375) + [(0.65, 0.4), (0.64, 0.65), (0.62, 0.9)]
        ],
        [  # curved stem
            arc(0.48, 0.32, 0.2, 0.2, -10, -370)
            + [(0.68, 0.5), (0.62, 0.75), (0.48, 0.88), (0.32, 0.86)]
        ],
        [  # slanted
            arc(0.52, 0.3, 0.19, 0.18, -15, -365, tilt=10) + [(0.66, 0.5), (0.58, 0.7), (0.5, 0.9)]
        ],
    ],
}


def placed(canvas, strokes: list[Stroke], box) -> list[Stroke]:
    canvas.scroll_into_view_if_needed()
    area = canvas.bounding_box()
    left, top, right, bottom = box
    return [
        [
            (
                area["x"] + area["width"] * (left + (right - left) * x),
                area["y"] + area["height"] * (top + (bottom - top) * y),
            )
            for x, y in stroke
        ]
        for stroke in strokes
    ]


BOX = (0.1, 0.1, 0.9, 0.9)


def draw_with_mouse(page, canvas, strokes: list[Stroke], box=BOX):
    """Draw strokes with the mouse on `canvas` (a Playwright locator), scaled into `box` of it."""
    for stroke in placed(canvas, strokes, box):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def draw(canvas, strokes: list[Stroke], box=BOX):
    """The same with the events of a mouse, made in the page."""
    canvas.evaluate(
        """(canvas, strokes) => {
          const send = (type, [clientX, clientY]) => canvas.dispatchEvent(new PointerEvent(type, {
            clientX, clientY, pointerId: 1, pointerType: "mouse", isPrimary: true, bubbles: true,
            button: type === "pointermove" ? -1 : 0, buttons: type === "pointerup" ? 0 : 1 }));
          for (const stroke of strokes) {
            send("pointerdown", stroke[0]);
            for (const point of stroke.slice(1)) send("pointermove", point);
            send("pointerup", stroke.at(-1));
          }
        }""",
        placed(canvas, strokes, box),
    )
