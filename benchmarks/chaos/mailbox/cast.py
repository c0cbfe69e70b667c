"""The mailboxes of a run: connected, subscribed to, and with the rules that mail is to meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.chaos.mailbox.plan import RULED, Role
from benchmarks.chaos.scenes import until
from models import SyncState
from pipeline.connect import connect_microsoft
from pipeline.dispatch import send
from pipeline.mailbox import mailboxes, rules
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection

SOURCE = "microsoft_mail"
CATEGORY = "Chaos"
FORWARD_TO = "elsewhere@chaos.example"
_FOLDERS = ("Filed", "Kept")


@dataclass(frozen=True, slots=True)
class Player:
    """A user with a mailbox: its folders by name, and its rules by role."""

    user: str
    mailbox_id: str
    folders: dict[str, str]
    rules: dict[Role, str]


def sender_of(role: Role) -> str:
    """Return the address that mail of `role` is from."""
    return f"{role}@chaos.example"


def connect_all(sandbox: SandboxClient, users: Sequence[str]) -> list[Player]:
    """Connect `users`, which are new at the sandbox, and wait until all is pushed."""
    for user in users:
        sandbox.add_user(user, seed=1)
        sandbox.open_mailbox(user)
        for name in _FOLDERS:
            sandbox.mail_folder_add(user, name)
        connect_microsoft(user, sandbox.microsoft_grant(user))
    send("dispatch_mailboxes")
    until(lambda: _count(users, {"fresh_as_of": {"$gt": _EPOCH}}) == len(users), "first syncs")
    send("renew_subscriptions")
    live = {"live_push_until": {"$gt": datetime.now(UTC)}}
    until(lambda: _count(users, live) == len(users), "subscriptions")
    return [_player(sandbox, user) for user in users]


_EPOCH = datetime.fromtimestamp(0, UTC)


def _count(users: Sequence[str], wanted: Row) -> int:
    whose = {"user_id": {"$in": list(users)}, "source": SOURCE}
    return collection(SyncState).count_documents(whose | wanted)


def _player(sandbox: SandboxClient, user: str) -> Player:
    mailbox = mailboxes.of_user(user)
    assert mailbox is not None
    folders = {f["well_known"] or f["name"]: f["id"] for f in sandbox.mail_folders(user)}
    made = {role: _rule(user, str(mailbox["_id"]), role, folders) for role in RULED}
    return Player(user, str(mailbox["_id"]), folders, made)


def _rule(user: str, mailbox_id: str, role: Role, folders: dict[str, str]) -> str:
    actions: dict[Role, list[Row]] = {
        "filed": [{"action_type": "move", "to_folder": folders["Filed"]}],
        "trashed": [{"action_type": "delete"}],
        "tidied": [
            {"action_type": "mark_read", "order": 0},
            {"action_type": "flag", "order": 1},
            {"action_type": "categorize", "category": CATEGORY, "order": 2},
        ],
        "forwarded": [{"action_type": "forward", "forward_to": [FORWARD_TO]}],
    }
    return rules.create(
        user,
        mailbox_id,
        name=f"Chaos {role}",
        conditions={"sender_email": [sender_of(role)]},
        actions=actions[role],
        by="chaos",
    )
