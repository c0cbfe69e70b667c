"""Looking at dead letters: groups of the same cause, lists a page at a time, single ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from models import DeadLetter
from models.dead_letter import UNSETTLED
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; what is None does not matter."""

    status: str | None = "open"
    fingerprint: str | None = None
    queue: str | None = None
    job: str | None = None
    tenant_id: str | None = None

    def query(self) -> Row:
        """Return it as a MongoDB query."""
        names = ("status", "fingerprint", "queue", "job", "tenant_id")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: when it was last seen, and the id of what stands there."""

    seen_at: datetime
    id: str

    def __str__(self) -> str:
        return f"{round(self.seen_at.timestamp() * 1000)}-{self.id}"

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the place that `str` made `text` of.  Raises ValueError."""
        milliseconds, _, name = text.partition("-")
        if not (milliseconds.isdecimal() and len(milliseconds) < 15 and name):
            raise ValueError(f"{text!r} is not a place in the list of dead letters")
        return cls(datetime.fromtimestamp(int(milliseconds) / 1000, UTC), name)

    def query(self) -> Row:
        """Return what comes behind it, as a MongoDB query."""
        return {
            "last_seen_at": {"$lte": self.seen_at},
            "$or": [{"last_seen_at": {"$lt": self.seen_at}}, {"_id": {"$lt": self.id}}],
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one cause: how many, whom they concern, and the newest as a sample.

    `times` is how often their jobs have died.  `releases` are those under which
    the newest deaths were sent.
    """

    fingerprint: str
    letters: int
    times: int
    tenants: int
    users: int
    first_seen_at: datetime
    last_seen_at: datetime
    releases: tuple[str, ...]
    sample: Row

    @property
    def place(self) -> Place:
        """Return where it stands in the list of groups."""
        return Place(self.last_seen_at, self.fingerprint)


def letters(wanted: Wanted, limit: int = 50, *, after: Place | None = None) -> list[Row]:
    """Return up to `limit` letters, those that died last first; `after` is where a page ended."""
    query = wanted.query() | (after.query() if after else {})
    found = collection(DeadLetter).find(query)
    return list(found.sort([("last_seen_at", -1), ("_id", -1)]).limit(limit))


def find(name: str) -> Row | None:
    """Return the letter of a message id, or that of a job id that nobody has settled yet."""
    found = collection(DeadLetter)
    return found.find_one({"counted": name}) or found.find_one(
        {"job_id": name, "status": {"$in": list(UNSETTLED)}}
    )


def how_many(wanted: Wanted) -> int:
    """Return how many letters there are of those wanted."""
    return collection(DeadLetter).count_documents(wanted.query())


def open_by_queue() -> dict[str, int]:
    """Return how many letters are open in each queue that has any."""
    counted = collection(DeadLetter).aggregate(
        [
            {"$match": {"status": "open"}},
            {"$group": {"_id": "$queue", "letters": {"$sum": 1}}},
        ]
    )
    return {row["_id"]: row["letters"] for row in counted}


def groups(wanted: Wanted, limit: int = 50, *, after: Place | None = None) -> list[Group]:
    """Return up to `limit` groups, those that died last first; `after` is where a page ended."""
    rows = list(
        collection(DeadLetter).aggregate(
            [
                {"$match": wanted.query()},
                *_GROUPING,
                {"$match": after.query() if after else {}},
                {"$sort": {"last_seen_at": -1, "_id": -1}},
                {"$limit": limit},
            ]
        )
    )
    samples = _by_id([row["sample"] for row in rows])
    releases = _releases(wanted, [row["_id"] for row in rows])
    found = []
    for row in rows:
        name, sample = row.pop("_id"), samples.get(row["sample"])
        if sample:  # it may have been settled between the two looks
            found.append(Group(name, **row | {"sample": sample}, releases=releases.get(name, ())))
    return found


def _merged(**identity: str) -> dict[str, Any]:
    """Return the stage that puts together rows of the same `identity`."""
    return {
        "$group": {
            "_id": identity,
            "letters": {"$sum": "$letters"},
            "times": {"$sum": "$times"},
            "tenants": {"$sum": "$tenants"},
            "users": {"$sum": "$users"},
            "first_seen_at": {"$min": "$first_seen_at"},
            "last_seen_at": {"$max": "$last_seen_at"},
            "sample": {"$top": {"sortBy": {"last_seen_at": -1}, "output": "$sample"}},
        }
    }


def _one_if_given(field: str) -> Row:
    return {"$cond": [{"$gt": [field, ""]}, 1, 0]}


#: Users and tenants are counted by grouping twice more: a set of them in one row could become
#: larger than MongoDB allows.
_GROUPING: tuple[Row, ...] = (
    {
        "$project": {
            "fingerprint": 1,
            "tenant_id": 1,
            "user_id": 1,
            "letters": {"$literal": 1},
            "times": 1,
            "first_seen_at": 1,
            "last_seen_at": 1,
            "sample": "$_id",
        }
    },
    _merged(fingerprint="$fingerprint", tenant="$tenant_id", user="$user_id"),
    {"$set": {"users": _one_if_given("$_id.user")}},
    _merged(fingerprint="$_id.fingerprint", tenant="$_id.tenant"),
    {"$set": {"tenants": _one_if_given("$_id.tenant")}},
    _merged(fingerprint="$_id.fingerprint"),
    {"$set": {"_id": "$_id.fingerprint"}},
)


def _by_id(ids: list[str]) -> dict[str, Row]:
    return {row["_id"]: row for row in collection(DeadLetter).find({"_id": {"$in": ids}})}


def _releases(wanted: Wanted, fingerprints: list[str]) -> dict[str, tuple[str, ...]]:
    found = collection(DeadLetter).aggregate(
        [
            {"$match": wanted.query() | {"fingerprint": {"$in": fingerprints}}},
            {"$group": {"_id": "$fingerprint", "releases": {"$addToSet": "$release"}}},
        ]
    )
    return {row["_id"]: tuple(sorted(row["releases"])) for row in found}
