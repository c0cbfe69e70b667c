"""The threads that take notifications to whoever asked for them."""

from __future__ import annotations

from itertools import takewhile
from urllib.parse import urlsplit

import requests

from pipeline.sandbox.faults import Fault, Faults
from pipeline.sandbox.microsoft import GRAPH_API, notices
from pipeline.sandbox.push.counts import Outcome
from pipeline.sandbox.push.crew import Crew
from pipeline.sandbox.push.messages import (
    CALENDAR_RETRIES,
    NO_ANSWER,
    RECEIVED,
    Message,
    channel_message,
    post,
    topic_message,
)
from pipeline.sandbox.push.outbox import Notification
from pipeline.sandbox.push.tokens import authorization
from pipeline.sandbox.push.topics import Topic, Topics
from pipeline.sandbox.push.watches import CALENDAR_API
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.signing import Signer
from pipeline.sandbox.store import Store


class Deliverer:
    """Delivers what waits in the store's outbox, in the order of each watch."""

    def __init__(self, store: Store, signer: Signer, faults: Faults) -> None:
        self._store, self._outbox, self._clock = store, store.outbox, store.clock
        self._signer, self._faults = signer, faults
        self._topics = Topics(store.database)
        self._crew = Crew("push", store.clock, self._look_at)
        self._agenda = self._crew.agenda
        self.settings = Settings()

    def start(self) -> None:
        """Begin, first of all with what an earlier process left."""
        self._outbox.wake = self._agenda.wake
        self._crew.start([(watch_n, 0) for watch_n in self._outbox.watches_waiting()])

    def stop(self) -> None:
        self._crew.stop()

    def _look_at(self, watch_n: int, session: requests.Session) -> int | None:
        self._say(watch_n, session)
        return self._next_due(watch_n)

    def _next_due(self, watch_n: int) -> int | None:
        head = None if self._agenda.closed else self._outbox.head(watch_n)
        return None if head is None else head.due_ms

    def _say(self, watch_n: int, session: requests.Session) -> None:
        """Say the next word of a watch, if it is time."""
        told = self._outbox.head(watch_n)
        if told is None or told.due_ms > self._clock.now_ms():
            return
        if told.expires_ms <= self._clock.now_ms():
            self._outbox.finish(told, Outcome.EXPIRED)
            return
        if told.api == GRAPH_API:
            self._tell_subscriber(told, session)
            return
        topic = None if told.api == CALENDAR_API else self._topics.find(told.name)
        address = told.details["address"] if topic is None else topic.endpoint
        if address is None:
            self._outbox.finish(told, Outcome.FAILED)  # its topic is gone
            return
        path = urlsplit(address).path
        fault = self._faults.choose_push(told.api, told.user, path, held=told.held)
        if fault is None or not self._kept_back(told, fault):
            message = self._message(told, topic, fault)
            self._send([told], message, session, twice=_is(fault, "push_duplicate"))

    def _tell_subscriber(self, told: Notification, session: requests.Session) -> None:
        """Say what a subscription has to say, together with what others have for its address;
        each word alone where faults may strike it."""
        path = urlsplit(notices.address_of(told)).path
        alone = self._faults.any_push or told.attempts > 0 or notices.is_lifecycle(told)
        fault = self._faults.choose_push(told.api, told.user, path, held=told.held)
        if fault is not None and self._kept_back(told, fault):
            return
        others = [] if alone else self._others(told)
        try:
            together = [told] if alone else self._together(told, others)
            message = notices.notice_message(together, wrong_token=_is(fault, "push_wrong_token"))
            self._send(together, message, session, twice=_is(fault, "push_duplicate"))
        finally:
            for watch_n in others:
                self._agenda.give_back(watch_n, self._next_due(watch_n))

    def _others(self, told: Notification) -> list[int]:
        """Take other subscriptions that have something to say to the same address."""
        address, most = notices.address_of(told), notices.MOST_IN_BODY
        return self._agenda.take_too(self._outbox.watches_telling(told.api, address, most))

    def _together(self, told: Notification, others: list[int]) -> list[Notification]:
        """What goes into one body: of each subscription what it has to say first of all."""
        together = [told, *self._outbox.following(told, notices.MOST_IN_BODY - 1)]
        for watch_n in others:
            head = self._outbox.head(watch_n)
            if head is not None and self._may_join(head):
                together += [head, *self._outbox.following(head, notices.MOST_IN_BODY - 1)]
        changes = takewhile(lambda one: not notices.is_lifecycle(one), together)
        return list(changes)[: notices.MOST_IN_BODY]

    def _may_join(self, head: Notification) -> bool:
        now_ms = self._clock.now_ms()
        fresh = head.attempts == 0 and not notices.is_lifecycle(head)
        return fresh and head.due_ms <= now_ms < head.expires_ms

    def _message(self, told: Notification, topic: Topic | None, fault: Fault | None) -> Message:
        if topic is None:
            return channel_message(told, wrong_token=_is(fault, "push_wrong_token"))
        how = None
        if fault is not None and fault.kind == "push_wrong_jwt":
            how = str(fault.params.get("how", "wrong_key"))
        # Under the store's lock, as requests are handled: the first of all to sign makes the key.
        with self._store.reading():
            header = authorization(topic, self._signer, how)
        return topic_message(told, topic, header)

    def _kept_back(self, told: Notification, fault: Fault) -> bool:
        """Do what a fault does instead of sending; False when it does something else."""
        seconds = float(fault.params.get("seconds", 1))
        if fault.kind == "push_lose":
            self._outbox.finish(told, Outcome.LOST)
        elif fault.kind == "push_silence":
            self._outbox.silence(told)
        elif fault.kind in ("push_delay", "push_reorder"):
            self._outbox.hold(told, seconds, overtaken=fault.kind == "push_reorder")
        else:
            return False
        return True

    def _send(
        self,
        together: list[Notification],
        message: Message,
        session: requests.Session,
        *,
        twice: bool,
    ) -> None:
        """Send what goes into one message, and note what became of each."""
        status = post(session, message, self.settings.push_timeout_seconds)
        if twice and status in RECEIVED:
            for told in together:
                self._outbox.counts.add(told.api, told.user, Outcome.SENT)
            status = post(session, message, self.settings.push_timeout_seconds)
        if self._agenda.closed:
            return  # the store may be closed by now; the row stays
        for told in together:
            self._note(told, status)

    def _note(self, told: Notification, status: int) -> None:
        if status in RECEIVED:
            self._outbox.finish(told, Outcome.SENT)
        elif self._may_retry(told, status):
            wait_seconds = self.settings.push_backoff_seconds * 2**told.attempts
            self._outbox.try_again(told, wait_seconds)
        else:
            self._outbox.finish(told, Outcome.FAILED)

    def _may_retry(self, told: Notification, status: int) -> bool:
        if told.attempts + 1 >= self.settings.push_attempts:
            return False
        return told.api != CALENDAR_API or status == NO_ANSWER or status in CALENDAR_RETRIES


def _is(fault: Fault | None, kind: str) -> bool:
    return fault is not None and fault.kind == kind
