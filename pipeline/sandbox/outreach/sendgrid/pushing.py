"""The threads that take events to the webhook, in batches of whatever tenants they are of."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from pipeline.sandbox.faults import Fault, Faults
from pipeline.sandbox.outreach import SENDGRID_API
from pipeline.sandbox.outreach.sendgrid.batches import Batch, Batches
from pipeline.sandbox.outreach.sendgrid.events import FAILED, LOST, TOLD, Events
from pipeline.sandbox.outreach.sendgrid.forging import forged, with_foreign_events
from pipeline.sandbox.outreach.sendgrid.webhook import Webhook
from pipeline.sandbox.push.counts import Outcome
from pipeline.sandbox.push.crew import Crew
from pipeline.sandbox.push.messages import NO_ANSWER, Message, post
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store

#: On the agenda the number of no batch: to make batches of what waits.
_GATHER = 0
_HEADERS = {"User-Agent": "SendGrid Event API", "Content-Type": "application/json"}


class EventPusher:
    """Posts batches of events; what is not answered with 2xx is tried again, ever later."""

    def __init__(self, store: Store, events: Events, webhook: Webhook, faults: Faults) -> None:
        self._store, self._events, self._webhook, self._faults = store, events, webhook, faults
        self._batches = Batches(store.database, store.clock)
        self._crew = Crew("events", store.clock, self._look_at)
        self._agenda = self._crew.agenda
        self.settings = Settings()

    def start(self) -> None:
        """Begin, first of all with what an earlier process left."""
        self._events.wake = self._wake
        batches = [(batch_n, 0) for batch_n in self._batches.numbers()]
        self._crew.start([(_GATHER, 0), *batches])

    def stop(self) -> None:
        self._crew.stop()

    def _wake(self) -> None:
        wait_ms = int(1000 * self.settings.sendgrid_batch_seconds)
        self._agenda.wake(_GATHER, self._store.clock.now_ms() + wait_ms)

    def _look_at(self, number: int, session: requests.Session) -> int | None:
        if number == _GATHER:
            self._gather()
            return None
        self._bring(number, session)
        left = None if self._crew.stopped else self._batches.find(number)
        return None if left is None else left.due_ms

    def _gather(self) -> None:
        """Make batches of all that waits."""
        most = self.settings.sendgrid_batch_events
        while not self._crew.stopped:
            batch_n = self._batches.gather(most)
            if batch_n is None:
                return
            self._agenda.wake(batch_n, 0)

    def _bring(self, batch_n: int, session: requests.Session) -> None:
        batch = self._batches.find(batch_n)
        if batch is None or batch.due_ms > self._store.clock.now_ms():
            return
        url = self._webhook.config.url
        if not url:
            self._finish(batch, LOST, Outcome.LOST)
            return
        path = urlsplit(url).path
        fault = self._faults.choose_push(SENDGRID_API, "", path, held=batch.held)
        if fault is None or not self._kept_back(batch, fault):
            self._send(batch, url, fault, session)

    def _kept_back(self, batch: Batch, fault: Fault) -> bool:
        """Do what a fault does instead of sending; False when it does something else."""
        if fault.kind == "push_lose":
            self._finish(batch, LOST, Outcome.LOST)
        elif fault.kind in ("push_delay", "push_reorder"):
            self._batches.hold(batch, float(fault.params.get("seconds", 1)))
            self._count(Outcome.DELAYED)
        elif fault.kind == "push_split" and not batch.held:
            for batch_n in self._batches.split(batch):
                self._agenda.wake(batch_n, 0)
        else:
            return False
        return True

    def _send(self, batch: Batch, url: str, fault: Fault | None, session: requests.Session) -> None:
        kind = "" if fault is None else fault.kind
        if fault is not None and kind == "push_forge":
            how = str(fault.params.get("how", "wrong_key"))
            lie, headers = forged(self._webhook, batch.body, how)
            self._webhook.forgeries[self._post(session, url, lie, headers)] += 1
        body = with_foreign_events(batch.body) if kind == "push_foreign" else batch.body
        headers = self._webhook.signed(body)
        status = self._post(session, url, body, headers)
        if kind == "push_duplicate" and _received(status):
            self._count(Outcome.SENT)
            status = self._post(session, url, body, headers)
        if kind == "push_unanswered":
            status = NO_ANSWER
        if not self._crew.stopped:  # else the store may be closed by now; the row stays
            self._note(batch, status)

    def _post(
        self, session: requests.Session, url: str, body: bytes, headers: dict[str, str]
    ) -> int:
        message = Message(url, {**_HEADERS, **headers}, body)
        return post(session, message, self.settings.push_timeout_seconds)

    def _note(self, batch: Batch, status: int) -> None:
        if _received(status):
            self._finish(batch, TOLD, Outcome.SENT)
        elif batch.attempts + 1 < self.settings.push_attempts:
            wait_seconds = self.settings.push_backoff_seconds * 2**batch.attempts
            self._batches.try_again(batch, wait_seconds)
            self._count(Outcome.RETRIED)
        else:
            self._finish(batch, FAILED, Outcome.FAILED)

    def _finish(self, batch: Batch, state: str, outcome: Outcome) -> None:
        self._batches.finish(batch, state)
        self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        self._store.outbox.counts.add(SENDGRID_API, "", outcome)


def _received(status: int) -> bool:
    return 200 <= status < 300
