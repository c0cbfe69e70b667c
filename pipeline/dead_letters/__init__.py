"""Dead letters: jobs that will not be tried again without a person, kept in MongoDB."""

from pipeline.dead_letters.drain import drain
from pipeline.dead_letters.reading import (
    Group,
    Place,
    Wanted,
    find,
    groups,
    how_many,
    letters,
    open_by_queue,
)
from pipeline.dead_letters.replay import Progress, replay, replay_one
from pipeline.dead_letters.stages import Report
from pipeline.dead_letters.transitions import dismiss

__all__ = [
    "Group",
    "Place",
    "Progress",
    "Report",
    "Wanted",
    "dismiss",
    "drain",
    "find",
    "groups",
    "how_many",
    "letters",
    "open_by_queue",
    "replay",
    "replay_one",
]
