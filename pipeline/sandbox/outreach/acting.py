"""The threads in which recipients do what they are about to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from pipeline.sandbox.fields import refuse
from pipeline.sandbox.outreach import fetching, reading
from pipeline.sandbox.outreach.acts import ARRIVE
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.outreach.recipients import Act, Arrival
from pipeline.sandbox.outreach.replying import reply
from pipeline.sandbox.push.crew import Crew, new_session
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store

#: What a mail provider tries again: to unsubscribe somebody from a server that was not there.
_AGAIN = "again: "


class Acting:
    """Does what the inbox's acts say, when they are due."""

    def __init__(self, store: Store) -> None:
        self._store, self._inbox, self._database = store, store.inbox, store.database
        self._acts = store.inbox.acts
        self._crew = Crew("recipients", store.clock, self._look_at)
        self.settings = Settings()

    def start(self) -> None:
        """Begin, first of all with what an earlier process left."""
        self._acts.wake = self._crew.agenda.wake
        self._crew.start(self._acts.waiting())

    def stop(self) -> None:
        self._crew.stop()

    def _look_at(self, act_n: int, session: requests.Session) -> int | None:
        """Do an act; returns when to look at it again, if ever."""
        planned = self._acts.find(act_n)
        message = None if planned is None else self._inbox.message_by_n(planned.message_n)
        if planned is None or message is None:
            return None
        if planned.act == ARRIVE:
            arrival = Arrival(planned.how["arrival"])
            with self._database.transaction():
                self._inbox.arrive(message, arrival, planned.how["left"])
                self._acts.finish(planned, arrival)
            return None
        act = Act(planned.act)
        outcome = self._perform(message, act, planned.how, session)
        if self._crew.stopped:
            return None  # the store may be closed by now; the act stays
        if outcome.startswith(_AGAIN) and planned.attempts + 1 < self.settings.push_attempts:
            wait_seconds = self.settings.push_backoff_seconds * 2**planned.attempts
            return self._acts.try_again(planned, wait_seconds)
        with self._database.transaction():
            self._tell(message, act, planned.how)
            self._acts.finish(planned, outcome.removeprefix(_AGAIN))
        return None

    # On command

    def act_now(self, message_id: str, act: Act, how: Mapping[str, Any]) -> str:
        """Have a recipient do something at once; returns what came of it.

        Raises BadField for a message that nobody received.
        """
        message = self._inbox.message(message_id)
        if message is None or message.status != Arrival.DELIVERED:
            refuse("message", "no such message was delivered to anybody")
        with new_session() as session:
            outcome = self._perform(message, act, how, session).removeprefix(_AGAIN)
        with self._database.transaction():
            self._tell(message, act, how)
            self._acts.record(message, act, how, outcome)
        return outcome

    # What a recipient does

    def _tell(self, message: Message, act: Act, how: Mapping[str, Any]) -> None:
        carrier = self._inbox.carriers.get(message.provider)
        if carrier is None:
            return
        if act == Act.CLICK:
            how = {**how, "url": _clicked(message, how)}
        carrier.acted(message, act, how)

    def _perform(
        self, message: Message, act: Act, how: Mapping[str, Any], session: requests.Session
    ) -> str:
        """Do what happens outside the sandbox; returns what came of it."""
        seconds = self.settings.push_timeout_seconds
        if act in (Act.OPEN, Act.MACHINE_OPEN):
            agent = fetching.READER_AGENT if act == Act.OPEN else fetching.MACHINE_AGENT
            found = [fetching.get(session, url, agent, seconds) for url in reading.images(message)]
            return " ".join(_shown(status) for status in found)
        if act == Act.CLICK:
            url = _clicked(message, how)
            if url is None:
                return "no such link"
            return _shown(fetching.get(session, url, fetching.READER_AGENT, seconds))
        if act == Act.UNSUBSCRIBE and message.channel == "email":
            return _unsubscribed(message, session, seconds)
        if act == Act.REPLY and message.channel == "email":
            return reply(self._store, message, str(how.get("text", "")))
        return ""


def _clicked(message: Message, how: Mapping[str, Any]) -> str | None:
    """The address of the link that is clicked: `url`, or that of number `link`."""
    if how.get("url"):
        return str(how["url"])
    found, number = reading.links(message), int(how.get("link", 0))
    return found[number] if number < len(found) else None


def _unsubscribed(message: Message, session: requests.Session, seconds: float) -> str:
    url = reading.one_click(message)
    if url is None:
        return "no one-click address"
    status = fetching.unsubscribe(session, url, seconds)
    failed = status == fetching.NO_ANSWER or status >= 500
    return f"{_AGAIN if failed else ''}{_shown(status)}"


def _shown(status: int) -> str:
    names = {fetching.NO_ANSWER: "no answer", fetching.NOT_HERE: "not on this machine"}
    return names.get(status, str(status))
