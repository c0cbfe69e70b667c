"""Waiting for the workers: until what happened in mailboxes was observed, or analyzed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from models import DEFAULT_TENANT, Mailbox, SyncState
from pipeline.cli.simulating.mailboxes import SOURCE, mailboxes_of
from pipeline.dispatch import send, send_many
from pipeline.errors import Permanent, Transient
from pipeline.jobs.sending import Send
from pipeline.jobs.workers import serving, workers
from pipeline.stores import Row, collection
from pipeline.sync import states
from pipeline.words import number

_LOOK_SECONDS = 0.25
#: Jobs are sent again so often: one that ended just before the last change is no help.
_REMIND_SECONDS = 5.0

#: Gives the users of whom something is missing, and what.
Missing = Callable[[], dict[str, str]]


class Workers:
    """Our side of a simulation, carried out by workers that run elsewhere.

    Both methods raise Transient when for `patience_seconds` nothing gets any further.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds

    def bring_up_to_date(self, users: Sequence[str]) -> None:
        """Have all mailboxes synced and observed.  Raises Permanent for one that is held."""
        held = [user for user in users if not states.request(user, SOURCE)]
        if held:
            raise Permanent(f"the mailbox of {held[0]!r} is paused, or its user must connect again")
        asked = requested(users)
        self._wait("delta-sync", lambda: unobserved(asked), lambda: send("dispatch_mailboxes"))

    def analyze(self, users: Sequence[str]) -> None:
        """Have all mailboxes analyzed."""
        asked_at = datetime.now(UTC)
        self._wait(
            "pattern-analysis",
            lambda: unanalyzed(users, asked_at),
            lambda: send_many(_analyses(unanalyzed(users, asked_at))),
        )

    def _wait(self, queue: str, missing: Missing, remind: Callable[[], object]) -> None:
        """Return once nothing is missing.  Raises Transient with what is, when time is up."""
        _require_workers(queue)
        left, reminded_at = missing(), float("-inf")
        end = time.monotonic() + self._patience_seconds
        while left:
            now = time.monotonic()
            if now > end:
                _require_workers(queue)
                raise Transient(_in_words(left))
            if now - reminded_at > _REMIND_SECONDS:
                remind()
                reminded_at = now
            time.sleep(_LOOK_SECONDS)
            before, left = left, missing()
            if left != before:
                end = time.monotonic() + self._patience_seconds


def _in_words(missing: dict[str, str]) -> str:
    user, why = min(missing.items())
    return f"{number(len(missing))} of the mailboxes got no further; that of {user!r} {why}"


def _require_workers(queue: str) -> None:
    if not serving(queue, workers()):
        raise Transient(f"no worker serves {queue}: start some, for example with `headrace up`")


def requested(users: Sequence[str]) -> dict[str, datetime]:
    """Return by the database's clock when each mailbox was made due last."""
    found = _states(users, {"requested_at": 1})
    return {row["user_id"]: row["requested_at"] for row in found}


def unobserved(asked: dict[str, datetime]) -> dict[str, str]:
    """Return of which users a sync since then, or its observation, is missing."""
    fields = {"fresh_as_of": 1, "seq": 1, "projections.mailbox.seq": 1, "status": 1}
    missing = dict.fromkeys(asked, "is gone")
    for row in _states(list(asked), fields | {"last_error.class": 1}):
        fresh_as_of = row.get("fresh_as_of")
        seq = row["seq"]
        observed = row.get("projections", {}).get("mailbox", {}).get("seq", 0)
        if fresh_as_of is None or fresh_as_of < asked[row["user_id"]]:
            error = (row.get("last_error") or {}).get("class")
            missing[row["user_id"]] = f"was not synced: {row['status']}, last error {error}"
        elif observed < seq:
            missing[row["user_id"]] = f"was observed up to change {observed} of {seq}"
        else:
            del missing[row["user_id"]]
    return missing


def _states(users: Sequence[str], fields: Row) -> list[Row]:
    wanted = {"user_id": {"$in": list(users)}, "source": SOURCE}
    return list(collection(SyncState).find(wanted, fields | {"user_id": 1}))


def unanalyzed(users: Sequence[str], since: datetime) -> dict[str, str]:
    """Return which users' mailboxes were not analyzed since then."""
    done = collection(Mailbox).distinct(
        "user_id", {"user_id": {"$in": list(users)}, "analysed_at": {"$gte": since}}
    )
    return {user: "was not analyzed" for user in users if user not in done}


def _analyses(users: dict[str, str]) -> list[Send]:
    wanted = {"_id": {"$in": list(mailboxes_of(list(users)).values())}}
    found = collection(Mailbox).find(wanted, {"user_id": 1, "tenant_id": 1})
    return [
        Send(
            "analyze_patterns",
            (row["user_id"], row["_id"]),
            tenant_id=row.get("tenant_id") or DEFAULT_TENANT,
        )
        for row in found
    ]
