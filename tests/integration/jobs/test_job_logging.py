"""What a worker says about attempts that did not go well."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from probes import Probes, queue, send, until_idle
from waiting import wait_until

from pipeline import log
from pipeline.config import settings
from pipeline.errors import RateLimited
from pipeline.jobs import reading

QUEUE = queue(attempts=2, backoff_ms=1)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What this process logs, as text."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    log.configure(settings())
    text = io.StringIO()
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(text)
    yield text
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)


def test_failed_attempts_are_logged_with_their_place_but_not_with_foreign_text(
    probes: Probes, written: io.StringIO
) -> None:
    def deliver(user_id: str) -> None:
        raise OSError("ada@example.com refused")

    probes.run(deliver, QUEUE)
    with probes.working(threads=1):
        send("deliver", "alice")
        until_idle(QUEUE)
    said = written.getvalue()
    assert "attempt failed job_id=deliver:alice" in said
    assert "job failed job_id=deliver:alice" in said
    assert "reason=attempts_spent" in said
    assert "in deliver\n    raise OSError(" in said
    assert "refused" not in said.replace('raise OSError("ada@example.com refused")', "")


def test_a_job_that_waits_for_a_limit_is_no_error(probes: Probes, written: io.StringIO) -> None:
    def deliver(user_id: str) -> None:
        raise RateLimited("our share is used up", retry_after_seconds=60, scope="user")

    probes.run(deliver, QUEUE)
    with probes.working(threads=1):
        sent = send("deliver", "alice")
        wait_until(lambda: reading.depth(QUEUE.name).delayed == 1, "the job is delayed")
    said = written.getvalue()
    assert f"job put off job_id=deliver:alice message_id={sent.message_id}" in said
    assert "ERROR" not in said
    assert "WARNING" not in said
