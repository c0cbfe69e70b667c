"""Which mailboxes take part in a simulation: somebody lives in them, and we are connected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models import Mailbox, SyncState
from pipeline.cli.exits import WrongUse
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection

SOURCE = "microsoft_mail"


def taking_part(sandbox: SandboxClient, named: Sequence[str] | None) -> tuple[str, ...]:
    """Return the users who take part, in order: those named, or else all who can.

    Raises WrongUse for a user who cannot, and if there is none.
    """
    lively = {mailbox["user"] for mailbox in sandbox.mailboxes()}
    if not lively:
        raise WrongUse("nobody in the sandbox has a Microsoft mailbox with people's mail in it")
    connected = _connected(lively if named is None else set(named))
    for user in named or ():
        if user not in lively:
            raise WrongUse(f"the sandbox has no mailbox of {user!r} that somebody lives in")
        if user not in connected:
            raise WrongUse(f"the mailbox of {user!r} is not connected: see `headrace connect`")
    if not lively & connected:
        raise WrongUse("no mailbox of the sandbox is connected: see `headrace connect --help`")
    return tuple(sorted(lively & connected))


def mailboxes_of(users: Sequence[str]) -> dict[str, str]:
    """Return the ids of the connected mailboxes of `users`."""
    wanted = {"user_id": {"$in": list(users)}, "is_connected": True}
    return {row["user_id"]: row["_id"] for row in collection(Mailbox).find(wanted, {"user_id": 1})}


def watched_since(users: Sequence[str], moment: datetime) -> None:
    """Have the mailboxes count as watched since `moment`, which lies in the past.

    Mail received before a mailbox was watched teaches nothing, and simulated mail is.
    """
    ids = list(mailboxes_of(users).values())
    collection(Mailbox).update_many({"_id": {"$in": ids}}, {"$min": {"watched_from": moment}})


def _connected(users: set[str]) -> set[str]:
    wanted = {"user_id": {"$in": sorted(users)}, "source": SOURCE}
    states = set(collection(SyncState).distinct("user_id", wanted))
    return states & set(mailboxes_of(sorted(states)))
