"""Names that a person typed: users, sources, queues, with the nearest one where there is none."""

from __future__ import annotations

from pipeline.cli.exits import WrongUse
from pipeline.words import suggestion as suggestion

#: How many users are looked at for a suggestion, in each of three places of the index.
_LOOKED_AT = 300


def require_user(user_id: str) -> None:
    """Return if there is such a user; else raise WrongUse that suggests the nearest."""
    from models import User
    from pipeline.stores import collection

    if collection(User).find_one({"_id": user_id}, {"_id": 1}) is None:
        raise WrongUse(f"there is no user {user_id!r}{suggestion(user_id, _near(user_id))}")


def require_source(name: str) -> None:
    """Return if there is such a source; else raise WrongUse that suggests the nearest."""
    from pipeline.sources import SOURCES

    if name in SOURCES:
        return
    # "gmail" is nearer to google_gmail than the letters that they share say.
    containing = [source for source in SOURCES if name.lower() in source]
    hint = f"; did you mean {containing[0]!r}?" if containing else suggestion(name, SOURCES)
    raise WrongUse(
        f"there is no source {name!r}{hint or '; expected one of ' + ', '.join(SOURCES)}"
    )


def require_queue(name: str) -> None:
    """Return if there is such a queue; else raise WrongUse that suggests the nearest."""
    from pipeline.queues import QUEUES

    if name not in QUEUES:
        hint = suggestion(name, QUEUES) or f"; expected one of {', '.join(QUEUES)}"
        raise WrongUse(f"there is no queue {name!r}{hint}")


def require_schedule(name: str) -> None:
    """Return if there is such a schedule; else raise WrongUse that suggests the nearest."""
    from pipeline.schedules import SCHEDULES

    names = [schedule.name for schedule in SCHEDULES]
    if name not in names:
        hint = suggestion(name, names) or f"; expected one of {', '.join(names)}"
        raise WrongUse(f"there is no schedule {name!r}{hint}")


def _near(user_id: str) -> list[str]:
    """Return users whose ids may be meant, out of a few bounded looks into the index."""
    from models import User
    from pipeline.stores import collection

    users = collection(User)
    first = user_id[:1]
    looks = (
        users.find({"_id": {"$gte": user_id}}, {"_id": 1}).sort("_id", 1),
        users.find({"_id": {"$lt": user_id}}, {"_id": 1}).sort("_id", -1),
        users.find({"_id": {"$gte": first}}, {"_id": 1}).sort("_id", 1),
    )
    return [row["_id"] for look in looks for row in look.limit(_LOOKED_AT)]
