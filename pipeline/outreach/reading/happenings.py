"""What happened in a campaign, in sentences."""

from __future__ import annotations

from datetime import datetime

from pipeline.outreach.reading.words import WAITED_FOR, elapsed, event_in_words
from pipeline.stores import Row

_TONES = {
    "delivered": "ok",
    "opened": "ok",
    "clicked": "ok",
    "replied": "ok",
    "bounced": "bad",
    "spam_report": "bad",
    "unsubscribed": "warn",
}
_STATUS_TONES = {
    "active": "info",
    "completed": "ok",
    "paused": "warn",
    "stopped": "warn",
    "error": "bad",
}
#: What somebody did to an enrollment, or it to itself, by trigger.
_DONE = {
    "paused": "paused",
    "resumed": "taken up again",
    "stopped": "stopped",
    "error": "ended by an error",
    "finished": "came to its end",
}


def transition(row: Row, event: Row | None, message: Row | None) -> str:
    """Return a change of an enrollment: what led to it, and where that led."""
    trigger = row["trigger"]
    if trigger == "started":
        return _with_reason(f"began with “{row['to_node']}”", row, "" if _moves(row) else _led(row))
    if event is not None:
        return f"{_what(event, message)} {_led(row)}"
    if _moves(row):
        return f"{event_in_words(trigger)} {_led(row)}"
    if trigger == "checked":
        return _with_reason("not begun with", row, "")
    by = f" by {row['by']}" if row.get("by") else ""
    return _with_reason(f"{_DONE.get(trigger, event_in_words(trigger))}{by}", row, _led(row))


def event(row: Row, message: Row | None, *, reveal: bool = False) -> str:
    """Return an event: what happened, how long after its message was sent."""
    told = _what(row, message)
    url = (row.get("data") or {}).get("url")
    if url and reveal:
        told = f"{told}: {url}"
    return f"“{row['node_id']}” was {told}" if row["type"] in _PASSIVE else told


#: Events that something is done to a message by.
_PASSIVE = ("delivered", "opened", "clicked", "bounced", "spam_report")


def message(row: Row) -> tuple[str, str, datetime]:
    """Return how a message stands, its tone, and since when."""
    name, error = f"“{row['node_id']}”", row.get("error")
    why = f": {error}" if error else ""
    changed: datetime = row.get("updated_at") or row["created_at"]
    began: datetime = row.get("handed_over_at") or row["created_at"]
    match row["state"]:
        case "sent":
            how = "by SMS" if row["channel"] == "sms" else "by e-mail"
            return f"{name} was sent {how}", "ok", row.get("sent_at") or changed
        case "sending":
            return f"{name} is being sent", "info", began
        case "retryable":
            return f"{name} was not taken, and is to be tried again{why}", "warn", changed
        case "failed":
            return f"{name} could not be sent{why}", "bad", changed
        case "unknown":
            return f"{name} may have been sent: no answer came", "warn", began
    return f"{name} was not sent: it was canceled", "idle", changed


def tone_of_event(event_type: str) -> str:
    """Return how good an event is."""
    return _TONES.get(event_type, "idle")


def tone_of_status(row: Row) -> str:
    """Return how good the status is that a change led to."""
    return _STATUS_TONES.get(row["to_status"], "idle")


def _what(row: Row, message: Row | None) -> str:
    """Return what happened, and how long after the message was sent."""
    said = event_in_words(row["type"])
    if row["type"] == "bounced":
        said += _bounce(row.get("data") or {})
    if row.get("is_machine"):
        said += " by a program"
    since = elapsed((message or {}).get("sent_at"), row["occurred_at"])
    comma = "," if row["type"] in WAITED_FOR else ""
    return f"{said}{comma} {since} after it was sent" if since else said


def _bounce(data: Row) -> str:
    known = [str(data[name]) for name in ("class", "code") if data.get(name)]
    return f" ({', '.join(known)})" if known else ""


def _moves(row: Row) -> bool:
    return bool(row.get("to_node")) and row.get("from_node") != row["to_node"]


def _led(row: Row) -> str:
    """Return where a change led: to a node, to the end, or to another status."""
    status = row["to_status"]
    if status == "completed":
        return "→ the end of the plan"
    if status in ("stopped", "error") and row["trigger"] != status:
        return f"→ {'stopped' if status == 'stopped' else 'ended by an error'}"
    return f"→ went on to “{row['to_node']}”" if _moves(row) else ""


def _with_reason(text: str, row: Row, led: str) -> str:
    told = f"{text} {led}".strip()
    return f"{told}: {row['reason']}" if row.get("reason") else told
