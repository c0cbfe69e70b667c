"""How many mails to users go out in a second, to a mail server that takes them all."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.index.landed import TENANT
from benchmarks.queue.measure import Results, measured
from benchmarks.web.stage import Stage
from models import EmailDelivery, User
from pipeline.platform import email
from pipeline.stores import collection

PORT = 20_025
SETTINGS = {"SMTP_URL": f"smtp://127.0.0.1:{PORT}", "EMAIL_FROM": "bench@headrace.example"}
_USERS, _LEAST_PER_SECOND = 200, 200
_NEVER = {"quiet_start": "00:00", "quiet_end": "00:00"}
_LOOK_SECONDS, _PATIENCE_SECONDS = 0.2, 600.0


def time_mail(stage: Stage, count: int) -> Results:
    """Return how many of `count` mails that wait go out in a second, by one worker process."""
    stage.log(f"queueing {count:,} mails")
    now = datetime.now(UTC)
    collection(User).insert_many(
        [
            {
                "_id": f"reader-{number}",
                "tenant_id": TENANT,
                "email": f"reader-{number}@bench.example",
                "email_preferences": _NEVER,
                "is_active": True,
                "created_at": now,
            }
            for number in range(_USERS)
        ]
    )
    begun = time.monotonic()
    for number in range(count):
        _queue(number)
    queued = time.monotonic() - begun
    stage.log(f"sending {count:,} mails")
    with _sink(), stage.workers():
        _until_sent(count)
    rows = collection(EmailDelivery).find({"status": "sent"}, {"sent_at": 1})
    moments = sorted(row["sent_at"] for row in rows)
    seconds = (moments[-1] - moments[0]).total_seconds()
    return {
        "mails_queued_per_s": measured([count / queued]),
        "mails_sent_per_s": measured([count / seconds], at_least=_LEAST_PER_SECOND),
    }


def _queue(number: int) -> None:
    email.queue(
        f"bench:{number}",
        tenant_id=TENANT,
        user_id=f"reader-{number % _USERS}",
        template="notification",
        context={
            "title": f"Notice {number}",
            "message": "Something has happened that you wanted to know of.",
            "kind": "system",
            "priority": "normal",
        },
        by="bench",
    )


@contextmanager
def _sink() -> Iterator[None]:
    """Run a mail server in a process of its own that takes all and keeps nothing."""
    where = ["-n", "-l", f"127.0.0.1:{PORT}", "-c", "aiosmtpd.handlers.Sink"]
    process = subprocess.Popen([sys.executable, "-m", "aiosmtpd", *where])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _until_sent(count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while collection(EmailDelivery).count_documents({"status": "sent"}) < count:
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long; see the logs in the folder of this run")
        time.sleep(_LOOK_SECONDS)
