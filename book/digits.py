"""Make the digits that readers train networks on in the page: static/course/digits.js.

    python -m book.digits

needs MNIST's own files (see utils/data.py).  The result is committed: building the book needs
neither the data nor a network.  It is a script, not data to be fetched, since pages that are opened
as files may load scripts only.
"""

from __future__ import annotations

import base64
from pathlib import Path

TARGET = Path(__file__).parent / "static" / "course" / "digits.js"
HEAD = """\
// MNIST digits by Yann LeCun and Corinna Cortes, CC BY-SA 3.0, in 16 levels of grey: two pixels a
// byte, zlib, base 85 (RFC 1924). Made by book/digits.py; read by widgets/js/lib/digits.js.
"""


def script() -> str:
    """Return the script's text; raises RuntimeError where MNIST's own files are not to be had."""
    from utils import data
    from widgets.training_digits import training_digits

    if data.mnist("train").source == "offline subset":
        raise RuntimeError("the file is made from MNIST's own files: set DL_COURSE_DATA")
    found = training_digits()
    pixels = base64.b85encode(found["pixels"]).decode("ascii")
    return (
        f"{HEAD}globalThis.courseDigits = {{\n  held_out: {found['held_out']},\n"
        f'  labels: "{found["labels"]}",\n  pixels: "{pixels}",\n}};\n'
    )


if __name__ == "__main__":
    TARGET.write_text(script(), encoding="ascii")
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes")
