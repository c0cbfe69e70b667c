"""Holding a mailbox: who acts on its mail holds its lease, so that no two interleave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property

from pymongo.errors import PyMongoError

from models import User
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.config import settings
from pipeline.errors import LeaseLost
from pipeline.heartbeat import Heartbeat
from pipeline.mailbox import mailboxes
from pipeline.mailbox.places import Places
from pipeline.projections import lease
from pipeline.projections.lease import Lease
from pipeline.stores import Row, collection

_NAME = "mailbox-work"
_LOOK_SECONDS = 0.05


class Hold:
    """The right to act on one mailbox, and what is known of it meanwhile."""

    def __init__(
        self, mailbox_id: str, fence: int, closing: ExitStack, *, leaving: bool = False
    ) -> None:
        """Raises Gone if there is no such mailbox."""
        self.fence = fence
        #: Whether it is cleared, though it may be closed and its connection has ended.
        self.leaving = leaving
        #: How many mails were staged meanwhile.
        self.staged = 0
        #: How many executions of rules were not told of one by one.
        self.untold = 0
        self._closing = closing
        self.mailbox_id = mailbox_id
        self.refresh()

    @classmethod
    def to_look(cls, mailbox_id: str) -> Hold:
        """Return what can be asked how a mailbox is set, without the right to act on it.

        Raises Gone if there is no such mailbox.
        """
        return cls(mailbox_id, 0, ExitStack())

    def refresh(self) -> None:
        """Read again how mailbox and user are set.  Raises Gone if there is no mailbox."""
        self.mailbox: Row = mailboxes.find(self.mailbox_id)
        self.user: Row | None = collection(User).find_one({"_id": self.mailbox["user_id"]})

    @property
    def user_id(self) -> str:
        """Whose mailbox it is."""
        return str(self.mailbox["user_id"])

    @cached_property
    def client(self) -> MicrosoftClient:
        """What calls Microsoft.  Raises ReauthRequired if the user must connect first."""
        return self._closing.enter_context(
            MicrosoftClient.for_user(self.user_id, leaving=self.leaving)
        )

    @cached_property
    def places(self) -> Places:
        """The mailbox's folders.  Raises ReauthRequired if the user must connect first."""
        return Places(self.mailbox, self.client)


@contextmanager
def held(
    mailbox_id: str, *, wait_seconds: float = 0, leaving: bool = False
) -> Iterator[Hold | None]:
    """Hold a mailbox for the block; give None if somebody else does for `wait_seconds`.

    `leaving`: to clear it, from which the end of its connection does not keep anybody.  Raises
    Gone if there is no such mailbox.
    """
    with ExitStack() as closing:
        taken = _taken(mailbox_id, wait_seconds, closing)
        if taken is None:
            yield None
            return
        closing.enter_context(_heartbeat(taken))
        yield Hold(mailbox_id, taken.fence, closing, leaving=leaving)


def _taken(mailbox_id: str, wait_seconds: float, closing: ExitStack) -> Lease | None:
    until = time.monotonic() + wait_seconds
    while True:
        taken = closing.enter_context(lease.held(_NAME, mailbox_id))
        if taken is not None or time.monotonic() >= until:
            return taken
        time.sleep(_LOOK_SECONDS)


def _heartbeat(taken: Lease) -> Heartbeat:
    def beat() -> bool:
        try:
            lease.renew(taken)
        except LeaseLost:
            return False
        except PyMongoError:
            pass  # the next beat may get through; without one, the lease runs out
        return True

    return Heartbeat("mailbox-heartbeat", settings().lease_seconds / 3, beat)
