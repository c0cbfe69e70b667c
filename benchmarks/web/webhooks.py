"""How many notifications the web takes in, and how fast, while many jobs wait.

Two questions.  How many a second at most: some connections that each send the
next one when the last is answered.  How fast at a given rate: notifications are
sent when their time has come, whether others were answered or not, and timed
from then; so a web that falls behind looks as slow as it is.
"""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from benchmarks.queue.measure import Results, measured
from benchmarks.web.stage import Stage
from models import DEFAULT_TENANT, Subscription, WebhookDelivery
from pipeline.push.google_calendar import PATH
from pipeline.push.rows import hash_of
from pipeline.stores import Row, collection

#: What is asked for: requests a second, and the slowest but one in a hundred.
PER_SECOND, P99_MS = 1000, 50
CHANNELS = 10_000
_CONNECTIONS = 64
_SECONDS = 10.0
_WARM_UP_SECONDS = 2.0
_TICK_SECONDS = 0.001
_BATCH = 1000
_TOKEN = secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one run: `latencies_ms` of all answers, sorted, and how many were no 200."""

    seconds: float
    latencies_ms: list[float]
    refused: int

    @property
    def per_second(self) -> float:
        """Accepted notifications a second."""
        return (len(self.latencies_ms) - self.refused) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` of all answers did not exceed."""
        return self.latencies_ms[
            min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))
        ]


def time_webhooks(stage: Stage, rounds: int) -> Results:
    """Return how many notifications a second are taken in, and how fast at PER_SECOND."""
    seed_channels()
    asyncio.run(_drive(stage.url, _WARM_UP_SECONDS, None))
    most = [measure(stage.url) for _ in range(rounds)]
    paced = [measure(stage.url, per_second=PER_SECOND) for _ in range(rounds)]
    for load in (*most, *paced):
        if load.refused:
            raise RuntimeError(f"{load.refused} notifications were refused; see web.log")
    at_rate = f"at_{PER_SECOND}_per_s"
    return {
        "webhooks_per_s": measured([load.per_second for load in most], at_least=PER_SECOND),
        f"webhook_p50_ms_{at_rate}": _latency(paced, 0.5),
        f"webhook_p95_ms_{at_rate}": _latency(paced, 0.95),
        f"webhook_p99_ms_{at_rate}": _latency(paced, 0.99, at_most=P99_MS),
    }


def _latency(loads: list[Load], share: float, at_most: float | None = None) -> Row:
    return measured([load.percentile_ms(share) for load in loads], digits=1, at_most=at_most)


def measure(url: str, *, seconds: float = _SECONDS, per_second: float | None = None) -> Load:
    """Notify the web at `url` for `seconds`: as fast as it answers, or `per_second`.

    The channels of `seed_channels` must be there.
    """
    gc.collect()
    gc.freeze()  # a pause of this process would be taken for one of the web
    return asyncio.run(_drive(url, seconds, per_second))


def seed_channels() -> None:
    """Make CHANNELS watch channels of as many users; forget what came of earlier ones."""
    collection(WebhookDelivery).delete_many({})
    collection(Subscription).delete_many({"user_id": {"$regex": "^load-"}})
    now = datetime.now(UTC)
    shared = {
        "tenant_id": DEFAULT_TENANT,
        "provider": "google",
        "source": "google_calendar",
        "stream": "calendars",
        "status": "active",
        "target": PATH,
        "resource_id": "bench",
        "token_hash": hash_of(_TOKEN),
        "created_at": now,
        "renewed_at": now,
        "live_since": now,
        "expires_at": now + timedelta(days=7),
        "retry_at": now + timedelta(days=6),
        "events": 0,
        "gaps": 0,
        "error_count": 0,
    }
    for start in range(0, CHANNELS, _BATCH):
        numbers = range(start, start + _BATCH)
        rows = [{"_id": f"load-{n}", "user_id": f"load-{n}"} | shared for n in numbers]
        collection(Subscription).insert_many(rows)


@dataclass(slots=True)
class _Run:
    """Requests that wait for a connection, connections that wait for a request, and answers.

    `per_second` None: there is always another request.
    """

    host: str
    first_number: int
    waiting: deque[float] = field(default_factory=deque)
    free: list[_Connection] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0
    sent: int = 0
    always: bool = False

    def next_request(self) -> bytes:
        """Return a notification that was never sent before."""
        self.sent += 1
        channel = random.randrange(CHANNELS)
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: 0\r\n"
            f"X-Goog-Channel-ID: load-{channel}\r\nX-Goog-Channel-Token: {_TOKEN}\r\n"
            f"X-Goog-Message-Number: {self.first_number + self.sent}\r\n"
            "X-Goog-Resource-ID: bench\r\nX-Goog-Resource-State: exists\r\n"
            "X-Goog-Resource-URI: https://www.googleapis.com/calendar/v3/users/me/calendarList\r\n"
            "User-Agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google)\r\n"
            "\r\n"
        ).encode()

    def pair(self) -> None:
        """Send what waits over the connections that are free."""
        while self.waiting and self.free:
            self.free.pop().send(self.waiting.popleft())


class _Connection(asyncio.Protocol):
    """A kept-alive connection with one request under way at most.  Answers have no body."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._asked_at: float | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._run.free.append(self)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """Count the request that got no answer."""
        if self._asked_at is not None:
            self._run.refused += 1

    def send(self, asked_at: float) -> None:
        """Send a request, whose time came at `asked_at`."""
        self._asked_at = asked_at
        self._transport.write(self._run.next_request())

    def data_received(self, data: bytes) -> None:
        """Take the answer, and go on."""
        self._answer += data
        if not self._answer.endswith(b"\r\n\r\n") or self._asked_at is None:
            return
        now = time.perf_counter()
        run = self._run
        run.latencies_ms.append((now - self._asked_at) * 1000)
        run.refused += not self._answer.startswith(b"HTTP/1.1 200 ")
        self._answer, self._asked_at = b"", None
        if run.always:
            self.send(now)
        else:
            run.free.append(self)
            run.pair()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def _drive(url: str, seconds: float, per_second: float | None) -> Load:
    parts = urlsplit(url)
    run = _Run(parts.netloc, time.time_ns() // 1000, always=per_second is None)
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(_CONNECTIONS):
        _, connection = await loop.create_connection(
            lambda: _Connection(run), parts.hostname or "", parts.port or 80
        )
        connections.append(connection)
    began = time.perf_counter()
    if per_second is None:
        run.waiting.extend([began] * _CONNECTIONS)
        run.pair()
        await asyncio.sleep(seconds)
        run.always = False
    else:
        await _pace(run, began, seconds, per_second)
    while len(run.free) + run.refused < _CONNECTIONS and time.perf_counter() < began + seconds + 10:
        await asyncio.sleep(_TICK_SECONDS)
    lasted = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Load(lasted, sorted(run.latencies_ms), run.refused)


async def _pace(run: _Run, began: float, seconds: float, per_second: float) -> None:
    """Have requests sent when their time has come."""
    for number in range(int(seconds * per_second)):
        due = began + number / per_second
        while (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(max(wait, _TICK_SECONDS))
        run.waiting.append(due)
        run.pair()
