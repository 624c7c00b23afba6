"""Interactive figures: they follow a live kernel, and run in the page from saved state alone.

`WIDGETS` holds the classes by name. Importing this package needs neither torch nor a browser.
"""

from .base import WIDGETS, CourseWidget
from .draw_digit import DrawDigit
from .pack import pack
from .training_replay import TrainingReplay

__all__ = ["WIDGETS", "CourseWidget", "DrawDigit", "TrainingReplay", "pack"]
