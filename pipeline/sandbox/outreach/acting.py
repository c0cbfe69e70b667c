"""The threads in which recipients do what they are about to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import requests

from pipeline.sandbox.fields import refuse
from pipeline.sandbox.outreach import fetching, reading
from pipeline.sandbox.outreach.acts import ARRIVE
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.outreach.recipients import Act, Arrival
from pipeline.sandbox.outreach.replying import reply
from pipeline.sandbox.push.agenda import Agenda
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store

#: So many web servers can be slow before other recipients wait for them.
_THREADS = 4
_STOP_SECONDS = 1.0
#: What a mail provider tries again: to unsubscribe somebody from a server that was not there.
_AGAIN = "again: "


class Acting:
    """Does what the inbox's acts say, when they are due."""

    def __init__(self, store: Store) -> None:
        self._store, self._inbox, self._database = store, store.inbox, store.database
        self._acts = store.inbox.acts
        self._agenda = Agenda(store.clock)
        self._threads: list[threading.Thread] = []
        self.settings = Settings()

    def start(self) -> None:
        """Begin, first of all with what an earlier process left."""
        self._acts.wake = self._agenda.wake
        self._store.clock.on_advance(self._agenda.look_at_the_clock)
        for act_n, due_ms in self._acts.waiting():
            self._agenda.wake(act_n, due_ms)
        for number in range(_THREADS):
            name = f"sandbox-recipients-{number}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._agenda.close()
        end = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        with _session() as session:
            while (act_n := self._agenda.take()) is not None:
                due_ms = self._look_at(act_n, session)
                if self._agenda.closed:
                    return
                self._agenda.give_back(act_n, due_ms)

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
        if self._agenda.closed:
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
        with _session() as session:
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


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy has no business with receivers of a local sandbox
    return session


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
