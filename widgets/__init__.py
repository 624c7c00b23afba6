"""Interactive figures: they follow a live kernel, and run in the page from saved state alone.

`WIDGETS` holds the classes by name. Importing this package needs neither torch nor a browser.
"""

from .base import WIDGETS, CourseWidget
from .beta_dial import BetaDial
from .centre_patch import CentrePatch
from .complete_digit import CompleteDigit
from .conditional_digits import ConditionalDigits
from .denoise import Denoise
from .draw_digit import DrawDigit
from .gan_game import GanGame
from .gradient_flow import GradientFlow
from .latent_plane import LatentPlane
from .latent_traversal import LatentTraversal
from .listen import Listen
from .map_forming import MapForming
from .one_frame import OneFrame
from .pack import pack
from .rank_dial import RankDial
from .svd_plane import SvdPlane
from .three_scores import ThreeScores
from .tiny_network import TinyNetwork
from .train_digits import TrainDigits
