"""From the outbox in Redis into MongoDB: no failed job is lost or counted twice.

A job that fails for good goes to the outbox in the same script that files it
as failed.  From there any process may bring it here: it is written first and
leaves the outbox then, so whoever dies in between has it written again, which
changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from models import DeadLetter
from models.dead_letter import UNSETTLED
from pipeline import metrics
from pipeline.dead_letters.building import built
from pipeline.errors import Transient
from pipeline.jobs import layout
from pipeline.stores import Row, collection, redis_client

logger = logging.getLogger(__name__)

_BATCH = 100
#: So many of its deaths a letter knows by name.  While MongoDB is down, more than that of one
#: job do not come together.
_MOST_COUNTED = 50
_EPOCH = datetime.fromtimestamp(0, UTC)
_DUPLICATE_KEY = 11000


def drain(limit: int = 1000) -> int:
    """Write up to `limit` failed jobs of the outbox as dead letters; return how many.

    Costs one Redis command while the outbox is empty.  While MongoDB does not
    answer they stay in the outbox, and their history with them.  Any number of
    processes may do this at once.
    """
    drained = 0
    left = min(limit, _waiting())
    try:
        while left > 0:
            taken = _next(min(left, _BATCH))
            drained += _remove(count(taken))
            left -= len(taken) or left
    except (PyMongoError, Transient) as error:
        logger.warning(
            "MongoDB takes no dead letters; they wait in Redis",
            extra={"error": type(error).__name__},
        )
    return drained


def _waiting() -> int:
    return int(redis_client().llen(layout.OUTBOX))


def _next(most: int) -> list[str]:
    """Return the first of the outbox, which become its last.

    So processes that do this at once take different ones, and one that cannot
    be written does not hold up the others.
    """
    pipe: Any = redis_client().pipeline(transaction=True)
    for _ in range(most):
        pipe.lmove(layout.OUTBOX, layout.OUTBOX, "LEFT", "RIGHT")
    return list(dict.fromkeys(taken.decode() for taken in pipe.execute() if taken))


def _remove(message_ids: Sequence[str]) -> int:
    pipe: Any = redis_client().pipeline(transaction=False)
    for message_id in message_ids:
        pipe.lrem(layout.OUTBOX, -1, message_id)
    return sum(pipe.execute())


def count(message_ids: Sequence[str]) -> list[str]:
    """Count these failed runs in the letters of their jobs; return those that are done with.

    Each is counted once, however often this is called.  The others are to be
    tried again: another process wrote the same letter just then.
    """
    counted = _counted(message_ids)
    fresh = [message_id for message_id in message_ids if message_id not in counted]
    letters = built(fresh)
    if len(letters) < len(fresh):
        logger.error(
            "Failed jobs have no history left, so there are no dead letters of them",
            extra={"jobs": len(fresh) - len(letters)},
        )
    # Whoever cancels a replay has not killed the job once more.
    deaths = [letter for letter in letters if letter["reason"] != "cancelled"]
    busy = _write(deaths)
    for letter in deaths:
        if letter["_id"] not in busy:
            metrics.DEAD_LETTERS.labels(letter["queue"], letter["reason"]).inc()
    return [message_id for message_id in message_ids if message_id not in busy]


def _counted(message_ids: Sequence[str]) -> set[str]:
    known = collection(DeadLetter).find(
        {"counted": {"$in": list(message_ids)}}, {"_id": 0, "counted": 1}
    )
    return {message_id for letter in known for message_id in letter["counted"]}


def _write(letters: Sequence[Row]) -> set[str]:
    """Count each letter's death; return the message ids that another process got ahead of."""
    if not letters:
        return set()
    try:
        collection(DeadLetter).bulk_write([_death(letter) for letter in letters], ordered=False)
    except BulkWriteError as error:
        problems = error.details["writeErrors"]
        codes = {problem["code"] for problem in problems}
        if codes != {_DUPLICATE_KEY} or error.details["writeConcernErrors"]:
            raise
        return {letters[problem["index"]]["_id"] for problem in problems}
    return set()


def _death(letter: Row) -> UpdateOne:
    """Return the update that counts this death in the job's unsettled letter, or a new one.

    A death opens a letter that is being replayed, unless it happened before that
    replay.  Deaths may come in any order: the letter tells of the newest.
    """
    died, seen_at = letter["_id"], letter["last_seen_at"]
    newest = {"$gte": [seen_at, {"$ifNull": ["$last_seen_at", seen_at]}]}
    opens = {
        "$or": [
            {"$gt": [seen_at, {"$ifNull": ["$acted_at", _EPOCH]}]},
            {"$eq": ["$replay_message_id", died]},
        ]
    }
    counts = {
        "_id": {"$ifNull": ["$_id", died]},
        "times": {"$add": [{"$ifNull": ["$times", 0]}, 1]},
        "counted": {
            "$slice": [
                {"$concatArrays": [{"$ifNull": ["$counted", []]}, [died]]},
                -_MOST_COUNTED,
            ]
        },
        "first_seen_at": {"$min": ["$first_seen_at", seen_at]},
        "last_seen_at": {"$max": ["$last_seen_at", seen_at]},
        "replays": {"$ifNull": ["$replays", 0]},
        "status": {"$cond": [opens, "open", "$status"]},
        "replay_token": {"$cond": [opens, "$$REMOVE", "$replay_token"]},
        "replay_message_id": {"$cond": [opens, "$$REMOVE", "$replay_message_id"]},
    }
    told = {
        name: {"$cond": [newest, {"$literal": value}, f"${name}"]}
        for name, value in letter.items()
        if name not in counts and name != "job_id"
    }
    return UpdateOne(
        {
            "job_id": letter["job_id"],
            "status": {"$in": list(UNSETTLED)},
            # Counted by another process since we looked: then this inserts, and is refused.
            "counted": {"$ne": died},
        },
        [{"$set": counts | told}],
        upsert=True,
    )
