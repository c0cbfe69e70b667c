"""What happened in a campaign, in sentences; without a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.outreach.reading import happenings

SENT = datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
MESSAGE = {"_id": "m", "node_id": "hello", "channel": "email", "sent_at": SENT, "created_at": SENT}


def change(trigger: str, to_status: str = "active", **fields: Any) -> dict[str, Any]:
    row = {"trigger": trigger, "to_status": to_status, "from_node": "hello", "to_node": "hello"}
    return row | fields


def happened(kind: str, **fields: Any) -> dict[str, Any]:
    at = SENT + timedelta(minutes=3)
    return {"type": kind, "occurred_at": at, "node_id": "hello"} | fields


@pytest.mark.parametrize(
    ("row", "event", "said"),
    [
        (change("started", from_node=None), None, "began with “hello”"),
        (
            change("started", "completed", reason="the plan begins with its end"),
            None,
            "began with “hello” → the end of the plan: the plan begins with its end",
        ),
        (
            change("checked", "stopped", reason="its e-mail address is suppressed: bounced"),
            None,
            "not begun with: its e-mail address is suppressed: bounced",
        ),
        (
            change("opened", to_node="next"),
            happened("opened"),
            "opened 3 min after it was sent → went on to “next”",
        ),
        (
            change("no_open", to_node="next"),
            happened("no_open"),
            "no open, 3 min after it was sent → went on to “next”",
        ),
        (
            change("bounced", "stopped"),
            happened("bounced", data={"class": "hard", "code": "5.1.1"}),
            "bounced (hard, 5.1.1) 3 min after it was sent → stopped",
        ),
        (
            change("spam_report", "stopped"),
            happened("spam_report"),
            "reported as spam 3 min after it was sent → stopped",
        ),
        (change("no_click", to_node="next"), None, "no click → went on to “next”"),
        (change("paused", "paused", by="ada"), None, "paused by ada"),
        (
            change("stopped", "stopped", by="ada", reason="met them"),
            None,
            "stopped by ada: met them",
        ),
        (
            change("forgotten", "stopped", reason="the contact was forgotten"),
            None,
            "forgotten → stopped: the contact was forgotten",
        ),
        (
            change("error", "error", reason="the address is not valid"),
            None,
            "ended by an error: the address is not valid",
        ),
    ],
)
def test_a_change_says_what_led_to_it_and_where_it_led(
    row: dict[str, Any], event: dict[str, Any] | None, said: str
) -> None:
    assert happenings.transition(row, event, MESSAGE if event else None) == said


@pytest.mark.parametrize(
    ("fields", "said", "tone"),
    [
        ({"state": "sent"}, "“hello” was sent by e-mail", "ok"),
        ({"state": "sent", "channel": "sms"}, "“hello” was sent by SMS", "ok"),
        ({"state": "sending"}, "“hello” is being sent", "info"),
        ({"state": "unknown"}, "“hello” may have been sent: no answer came", "warn"),
        ({"state": "failed", "error": "refused"}, "“hello” could not be sent: refused", "bad"),
        ({"state": "canceled"}, "“hello” was not sent: it was canceled", "idle"),
    ],
)
def test_a_message_says_how_it_stands(fields: dict[str, Any], said: str, tone: str) -> None:
    assert happenings.message(MESSAGE | fields) == (said, tone, SENT)


def test_where_a_link_led_is_only_said_to_who_may_know() -> None:
    clicked = happened("clicked", data={"url": "https://shop.example/?for=grace"})
    assert happenings.event(clicked, None) == "“hello” was clicked"
    assert happenings.event(clicked, None, reveal=True).endswith("?for=grace")
