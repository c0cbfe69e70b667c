"""Mailboxes in the sandbox, connected here."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pipeline.connect import connect_microsoft
from pipeline.sandbox.client import SandboxClient

_AT_ONCE = 4


def connect(sandbox: SandboxClient, users: Iterable[str]) -> None:
    """Give each of these users an empty mailbox, and connect it."""

    def one(user: str) -> None:
        sandbox.add_user(user, seed=1, calendars=0, events=0, contacts=0, messages=0, tasks=0)
        sandbox.open_mailbox(user)
        connect_microsoft(user, sandbox.microsoft_grant(user))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one, users))
