"""Names that a person typed: users, sources, queues, with the nearest one where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pipeline.cli.exits import WrongUse

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


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the nearest of `known`, or nothing."""
    folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


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
