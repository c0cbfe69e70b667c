"""One look at a mailbox: what its user does with mail becomes patterns, or is none any more.

Patterns that a user has approved stay as they are; so do rejected ones for as long as their user
said.  Each is changed only if it is still as it was read: two looks at once, or a user who decides
meanwhile, lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from models import EmailEvent, Mailbox, Pattern, User
from pipeline.mailbox import guards, mailboxes
from pipeline.mailbox.patterns import keeping, suggesting
from pipeline.mailbox.patterns.habits import habits
from pipeline.mailbox.patterns.rows import written
from pipeline.mailbox.patterns.terms import terms_of, window_start
from pipeline.stores import Row, collection
from pipeline.sync import erasures
from pipeline.words import counted

#: So many events are read at a time: all at once they would be most of the memory.
_EVENTS_AT_A_TIME = 1000
#: The index in whose order all events of a mail are together.
_BY_MAIL = [("mailbox_id", 1), ("message_id", 1), ("timestamp", -1)]
_NEEDED = (
    "message_id",
    "event_type",
    "change_stamp",
    "timestamp",
    "to_folder",
    "sender.email",
    "sender.domain",
    "metadata.automated_by_rule",
    "metadata.found_at_start",
)


@dataclass(slots=True)
class Analysed:
    """What a look came to: patterns that are open now, and what became of others.

    `told` are those of which the user was told; `skipped` those that are approved, rejected or
    of a sender whose mail is never acted upon.
    """

    detected: int = 0
    suggested: int = 0
    expired: int = 0
    skipped: int = 0
    told: int = 0

    def __str__(self) -> str:
        parts = (
            f"{counted(self.suggested, 'pattern')} suggested",
            f"{self.detected:,} detected",
            f"{self.expired:,} expired",
            f"{self.skipped:,} left as they are",
            f"user told of {self.told:,}",
        )
        return ", ".join(parts)


def analyze(user_id: str, mailbox_id: str, now: datetime | None = None) -> Analysed:
    """Bring the patterns of a mailbox to what its user does, and tell the user what is new.

    Nothing is learnt of a user who is not active, or from a mailbox that is not connected.
    Safe to run twice, and twice at once.
    """
    now = now or datetime.now(UTC)
    user = collection(User).find_one({"_id": user_id})
    mailbox = collection(Mailbox).find_one({"_id": mailbox_id, "user_id": user_id})
    if user is None or mailbox is None or not _may_learn(user, mailbox):
        return Analysed()
    planned = _plan(user, mailbox, now)
    written(planned.kept)
    expired = written(planned.expired)
    if erasures.under_way(user_id):  # it may have looked before these were there
        collection(Pattern).delete_many({"user_id": user_id})
        return Analysed()
    return Analysed(
        detected=_count(mailbox, "detected"),
        suggested=_count(mailbox, "suggested"),
        expired=expired,
        skipped=planned.skipped,
        told=suggesting.tell(mailbox),
    )


def _may_learn(user: Row, mailbox: Row) -> bool:
    active = user.get("is_active", True) and mailbox.get("is_connected", True)
    return bool(active) and not erasures.under_way(user["_id"])


def _plan(user: Row, mailbox: Row, now: datetime) -> keeping.Plan:
    of_mailbox = {"user_id": user["_id"], "mailbox_id": mailbox["_id"]}
    # Before the events: what is found in these is newer than what is known.
    patterns = list(collection(Pattern).find(of_mailbox))
    policy = guards.policy_of(mailbox["tenant_id"])
    terms = terms_of(user, mailbox, mailboxes.folders(mailbox), now)
    return keeping.plan(
        habits(_events(user, mailbox, now), terms),
        patterns,
        user=user,
        mailbox=mailbox,
        spared=partial(guards.whitelisted, mailbox, policy),
        now=now,
    )


def _events(user: Row, mailbox: Row, now: datetime) -> Iterator[Row]:
    """Yield what is needed of the events in the user's window, all of a mail together."""
    wanted = {
        "mailbox_id": mailbox["_id"],
        "user_id": user["_id"],
        "timestamp": {"$gte": window_start(user, now)},
    }
    fields = dict.fromkeys(_NEEDED, 1) | {"_id": 0}
    found = collection(EmailEvent).find(wanted, fields).sort(_BY_MAIL).hint(_BY_MAIL)
    return iter(found.batch_size(_EVENTS_AT_A_TIME))


def _count(mailbox: Row, status: str) -> int:
    wanted = {"user_id": mailbox["user_id"], "mailbox_id": mailbox["_id"], "status": status}
    return int(collection(Pattern).count_documents(wanted))
