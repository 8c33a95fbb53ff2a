"""The recommender world: `make_world(...)` draws it, its logs hide what a real log hides, `world.truth` knows."""

from causalrec_lib.data.world.make import make_world
from causalrec_lib.data.world.parameters import Parameters
from causalrec_lib.data.world.policies import Policy
from causalrec_lib.data.world.truth import Truth
from causalrec_lib.data.world.world import World

__all__ = ["Parameters", "Policy", "Truth", "World", "make_world"]
