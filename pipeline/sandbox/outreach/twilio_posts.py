"""What Twilio posts to its customers: how messages fare, and what people answer.

Signed as Twilio does: https://www.twilio.com/docs/usage/webhooks/webhooks-security.  A post that
is not answered with a 2xx comes again, as with Twilio's connection overrides.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from hmac import digest
from urllib.parse import urlsplit

import requests

from pipeline.sandbox.faults import Faults
from pipeline.sandbox.outreach import TWILIO_API, TWILIO_AUTH_TOKEN
from pipeline.sandbox.push.addresses import Verdict, judge
from pipeline.sandbox.push.crew import Crew
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store

_THREADS = 2
_GOOD = range(200, 300)
_HOLDING = ("push_delay", "push_reorder")


def signature(url: str, form: Mapping[str, str], token: str = TWILIO_AUTH_TOKEN) -> str:
    """The X-Twilio-Signature of a form that is posted to `url`."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return b64encode(digest(token.encode(), text.encode(), sha1)).decode()


class TwilioPosts:
    """Rows that wait to be posted, and the threads that post them."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._clock, self._database, self._faults = store.clock, store.database, faults
        self._crew = Crew("twilio", store.clock, self._look_at, _THREADS)

    def start(self) -> None:
        """Begin, first of all with what an earlier process left."""
        rows = self._database.rows("SELECT n, due_ms FROM twilio_posts")
        self._crew.start([(post_n, due_ms) for post_n, due_ms in rows])

    def stop(self) -> None:
        self._crew.stop()

    def add(self, recipient: str, url: str, form: Mapping[str, str]) -> None:
        """Post a form as soon as the transaction is over."""
        if not url or judge(url) is not Verdict.GOOD:
            return
        now_ms = self._clock.now_ms()
        with self._database.transaction():
            self._database.run(
                "INSERT INTO twilio_posts (recipient, url, form, due_ms) VALUES (?, ?, ?, ?)",
                *(recipient, url, json.dumps(dict(form)), now_ms),
            )
            row = self._database.row("SELECT last_insert_rowid()")
            assert row is not None  # an aggregate
            self._crew.agenda.wake(row[0], now_ms)

    def waiting(self) -> int:
        row = self._database.row("SELECT count(*) FROM twilio_posts")
        return int(row[0]) if row else 0

    def _look_at(self, post_n: int, session: requests.Session) -> int | None:
        """Post a row; returns when to look at it again, if ever."""
        sql = "SELECT recipient, url, form, attempts, held FROM twilio_posts WHERE n = ?"
        row = self._database.row(sql, post_n)
        if row is None:
            return None
        recipient, url, form, attempts, held = row
        fault = self._faults.choose_push(TWILIO_API, recipient, urlsplit(url).path, held=bool(held))
        kind = "" if fault is None else fault.kind
        if fault is not None and kind in _HOLDING:
            return self._later(post_n, attempts, float(fault.params.get("seconds", 1)))
        if kind != "push_lose":
            for _ in range(2 if kind == "push_duplicate" else 1):
                status = self._post(session, url, json.loads(form))
            if self._crew.stopped:
                return None  # the store may be closed by now; the row stays
            settings = Settings.load(self._database)
            if status not in _GOOD and attempts + 1 < settings.push_attempts:
                wait_seconds = settings.push_backoff_seconds * 2**attempts
                return self._later(post_n, attempts + 1, wait_seconds)
        self._database.run("DELETE FROM twilio_posts WHERE n = ?", post_n)
        return None

    def _later(self, post_n: int, attempts: int, wait_seconds: float) -> int:
        due_ms = self._clock.now_ms() + int(1000 * wait_seconds)
        sql = "UPDATE twilio_posts SET due_ms = ?, attempts = ?, held = 1 WHERE n = ?"
        self._database.run(sql, due_ms, attempts, post_n)
        return due_ms

    def _post(self, session: requests.Session, url: str, form: Mapping[str, str]) -> int:
        headers = {"X-Twilio-Signature": signature(url, form), "User-Agent": "TwilioProxy/1.1"}
        seconds = Settings.load(self._database).push_timeout_seconds
        try:
            answer = session.post(
                url, data=form, headers=headers, timeout=seconds, allow_redirects=False
            )
        except requests.RequestException:
            return 0
        return answer.status_code
