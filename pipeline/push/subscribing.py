"""Bringing the subscriptions of one (user, source) to what they should be.

A row is written before the provider is asked, and the outcome after.  Killed in
between, the row stays `pending` until its time is up; a registration that came
of it is stopped when it first notifies us.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from models import SyncState
from pipeline.clients.credentials import check_scopes, load_connection
from pipeline.clients.opening import Client, client_of
from pipeline.errors import (
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.push import rows
from pipeline.push.kinds import KINDS, kind_of
from pipeline.push.plan import Plan, is_live, plan
from pipeline.push.registration import Kind, target_of
from pipeline.stores import Row, collection
from pipeline.sync import states

log = logging.getLogger(__name__)

#: When to look again at what waits for its user, or cannot be pushed at all.
WAITS_FOR_USER = timedelta(hours=1)
CANNOT_BE_PUSHED = timedelta(days=1)
_THROUGH_COMPOSIO = "Composio makes the calls of this connection, and registers no pushes"


def subscribe(user_id: str, source: str) -> str:
    """Make, renew, replace and stop the subscriptions of (user, source); safe to repeat.

    Returns what was done, in words.  Raises RateLimited, Transient or
    Misconfigured once everything else is done; what the provider refuses is
    noted on its row.  Raises Permanent for a source that cannot be pushed.
    """
    kind = kind_of(source)
    state = collection(SyncState).find_one({"user_id": user_id, "source": source})
    if state is None:
        for row in rows.current(user_id, source):
            rows.end(row, datetime.now(UTC))
        return "the user does not have this source"
    if state["status"] in states.HELD:
        return _wait(kind, user_id, f"the source is {state['status']}")
    try:
        connection = load_connection(user_id, kind.provider)
        check_scopes(connection, source)
    except ReauthRequired as error:
        return _wait(kind, user_id, str(error))
    through_composio = connection["broker"] == "composio"
    why_not = _THROUGH_COMPOSIO if through_composio else kind.why_not()
    again_at = datetime.now(UTC) + CANNOT_BE_PUSHED if why_not else None
    work = _Work(kind, state, None if through_composio else connection)
    try:
        with work.clients:
            work.carry_out([] if why_not else kind.streams(state))
    except ReauthRequired as error:
        why_not, again_at = str(error), datetime.now(UTC) + WAITS_FOR_USER
    finally:
        rows.settle(kind, user_id, why_not=why_not, due_at=again_at)
    if work.left_out:
        # Between the last sync and the new subscription nobody watched.
        states.request(user_id, source)
    if work.failures:
        raise work.failures[0]
    return work.summary or why_not or "nothing to do"


def _wait(kind: Kind, user_id: str, why: str) -> str:
    """Do nothing until the user has, but for what pushes to where nobody listens."""
    for row in rows.current(user_id, kind.source):
        if row["status"] == "active" and row["target"] != target_of(kind):
            rows.end(row, datetime.now(UTC))
    rows.settle(kind, user_id, why_not=why, due_at=datetime.now(UTC) + WAITS_FOR_USER)
    return why


def stop_all(user_id: str, provider: str) -> int:
    """Stop every subscription of a user at `provider`, as a disconnect does; safe to repeat.

    Call it before the grant is revoked, and after the states were paused or
    removed, or new ones would be made.  Returns how many the provider could not
    be told about: they end by themselves, and what they still push is ignored.
    Raises RateLimited; what is left then is stopped by the next call.
    """
    now = datetime.now(UTC)
    left = 0
    for kind in KINDS.values():
        if kind.provider != provider:
            continue
        alive = rows.current(user_id, kind.source)
        for row in alive:
            rows.begin_stop(row, now)
        work = _Work(kind, {"user_id": user_id}, _connection_of(user_id, provider))
        with work.clients:
            for row in alive:
                work.attempt(work.stop, row)
        left += sum(row["status"] == "stopping" for row in alive)
        rows.settle(kind, user_id, why_not="the connection was ended")
    return left


def _connection_of(user_id: str, provider: str) -> Row | None:
    try:
        # It has ended by now, but its credentials still serve to say so.
        connection = load_connection(user_id, provider, leaving=True)
    except ReauthRequired:
        return None
    return None if connection["broker"] == "composio" else connection


class _Work:
    """One run over the subscriptions of a state.

    `connection` is None where no call can be made.  `failures` are those that
    concern more than a row; `left_out`: a stream was not watched for a while.
    """

    def __init__(self, kind: Kind, state: Row, connection: Row | None) -> None:
        self.kind = kind
        self.state = state
        self.clients = ExitStack()
        self.failures: list[HeadraceError] = []
        self.left_out = False
        self._connection = connection
        self._client: Client | None = None
        self._done: Counter[str] = Counter()

    @property
    def summary(self) -> str:
        """What was done: "2 made, 1 stopped"."""
        return ", ".join(f"{count} {what}" for what, count in self._done.items())

    def carry_out(self, streams: list[str]) -> None:
        """Do what the rows need so that each of `streams` is watched, and no other.

        Raises ReauthRequired, and RateLimited: whatever follows would run into it too.
        """
        now = datetime.now(UTC)
        alive = rows.current(self.state["user_id"], self.kind.source)
        wanted = self._plan(streams, alive, now)
        for row in wanted.retire:
            rows.end(row, now)
        for stream, before in wanted.ask:
            if before is None or not self.kind.in_place:
                self._ask(stream, before)
            elif self.kind.goes_on(before):
                self.attempt(self._ask_again, before)
            else:
                self._replace(before)
        for row in wanted.stop:
            self.attempt(self.stop, row)

    def attempt(self, step: Callable[[Row], None], row: Row) -> None:
        """Do `step`; a failure that may pass keeps no other row from its turn."""
        try:
            step(row)
        except (Transient, Misconfigured) as error:
            self.failures.append(error)

    def stop(self, row: Row) -> None:
        """Tell the provider that `row` is not wanted any more, if it can be told."""
        now = datetime.now(UTC)
        rows.begin_stop(row, now)
        try:
            if self._connection is not None:
                self.kind.stop(self._open_client(), row)
        except (Gone, Permanent, ReauthRequired) as error:
            # It is not there any more, or it is not ours any more.
            log.info("nothing to stop", extra={"source": self.kind.source, "reason": str(error)})
        rows.end(row, now)
        self._done["stopped"] += 1

    def _ask(self, stream: str, before: Row | None) -> None:
        """Ask for a registration of `stream` under a name of its own."""
        now = datetime.now(UTC)
        opened = rows.open_row(self.kind, self.state, stream, before, now)
        if opened is None:
            return  # another job asks
        row, token = opened
        others = rows.current(row["user_id"], row["source"], stream)
        others = [one for one in others if one["_id"] != row["_id"]]
        if not self._plan([stream], others, now).ask:
            rows.drop(row)  # another job has just done it
            return
        self.attempt(lambda asked: self._register(asked, token), row)
        if row["status"] == "active":
            for one in others:
                if is_live(one, self.kind.target(), now):
                    self.attempt(self.stop, one)

    def _ask_again(self, row: Row) -> None:
        """Have the registration of `row` go on; a new one follows if it cannot."""
        try:
            self._register(row, "")
        except Gone as error:
            log.info("not prolonged", extra={"source": self.kind.source, "reason": str(error)})
            self._replace(row)

    def _replace(self, before: Row) -> None:
        """Have a new registration instead of `before`, beside which the provider allows none."""
        self.attempt(self.stop, before)
        self._ask(before["stream"], before)

    def _register(self, row: Row, token: str) -> None:
        try:
            registration = self.kind.register(self._open_client(), row, token)
        except (RateLimited, ReauthRequired):
            rows.drop(row)
            raise
        except HeadraceError as error:
            if isinstance(error, Gone) and not token and row.get("resource_id"):
                raise  # there is nothing of this name to prolong
            rows.fail(row, error, datetime.now(UTC))
            self._done["refused"] += 1
            log.warning(
                "subscription refused", extra={"source": self.kind.source, "reason": str(error)}
            )
            if isinstance(error, Transient | Misconfigured):
                raise
            return
        if not rows.activate(self.kind, row, registration, datetime.now(UTC)):
            self.stop(row)  # it was given up meanwhile
            return
        goes_on = row["live_since"] < row["renewed_at"]
        self._done["renewed" if goes_on else "made"] += 1
        self.left_out |= not goes_on

    def _plan(self, streams: list[str], alive: list[Row], now: datetime) -> Plan:
        return plan(streams, alive, target=self.kind.target(), in_place=self.kind.in_place, now=now)

    def _open_client(self) -> Client:
        if self._client is None:
            assert self._connection is not None
            self._client = client_of(self._connection)
            self.clients.enter_context(self._client)
        return self._client
