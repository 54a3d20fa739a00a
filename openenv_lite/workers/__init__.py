"""Several processes that serve as one: whose session an id names, and how many there may be."""

from openenv_lite.workers.line import Line, open_line
from openenv_lite.workers.place import Worker, become, here, marked, new_id, random_id, whereabouts
from openenv_lite.workers.slots import PLEA, Slots, slots_of

__all__ = [
    "PLEA",
    "Line",
    "Slots",
    "Worker",
    "become",
    "here",
    "marked",
    "new_id",
    "open_line",
    "random_id",
    "slots_of",
    "whereabouts",
]
