"""Gmail's labels: the system's, and those that the user's messages carry."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.calls import Call, Reply, not_found
from pipeline.sandbox.data.mails import USER_LABELS
from pipeline.sandbox.stamps import GMAIL

_CATEGORIES = ("PERSONAL", "SOCIAL", "PROMOTIONS", "UPDATES", "FORUMS")
SYSTEM_LABELS = (
    *("INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "UNREAD", "STARRED", "IMPORTANT", "CHAT"),
    *(f"CATEGORY_{name}" for name in _CATEGORIES),
)
#: Labels that `messages.list` leaves out unless they are asked for.
OUT_OF_SIGHT = ("TRASH", "SPAM")


def label_name(label: str) -> str:
    return USER_LABELS.get(label, label.replace("_", " ") if label.startswith("Label") else label)


def known_labels(call: Call) -> list[str]:
    """Ids of every label of the user."""
    sql = "SELECT label FROM labels WHERE user_n = ? ORDER BY label"
    carried = [row[0] for row in call.store.database.rows(sql, call.user.n)]
    own = [label for label in carried if label not in SYSTEM_LABELS]
    return [*SYSTEM_LABELS, *sorted({*own, *USER_LABELS})]


def find_label(call: Call, id_or_name: str) -> str | None:
    """The id of a label, by its id or its name as a search writes it."""
    wanted = _plain(id_or_name)
    for label in known_labels(call):
        if id_or_name == label or wanted in (_plain(label), _plain(label_name(label))):
            return label
    return None


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "-").replace("/", "-")


def list_labels(call: Call) -> Reply:
    return Reply.of({"labels": [_described(label) for label in known_labels(call)]})


def get_label(call: Call) -> Reply:
    label = call.path_values["id"]
    if label not in known_labels(call):
        raise not_found()
    return Reply.of(_described(label) | _totals(call, label))


def _described(label: str) -> dict[str, Any]:
    if label in SYSTEM_LABELS:
        return {"id": label, "name": label, "type": "system"}
    return {
        "id": label,
        "name": label_name(label),
        "type": "user",
        "messageListVisibility": "show",
        "labelListVisibility": "labelShow",
    }


def _totals(call: Call, label: str) -> dict[str, int]:
    row = call.store.database.row(
        "SELECT count(*), coalesce(sum(unread), 0), count(DISTINCT parent),"
        " count(DISTINCT CASE WHEN unread THEN parent END) FROM"
        " (SELECT parent, instr(tags, ',UNREAD,') > 0 AS unread FROM items"
        " WHERE stream_n = ? AND live = 1 AND instr(tags, ?) > 0)",
        *(call.store.stream_n(call.user, GMAIL, "messages"), f",{label},"),
    )
    names = ("messagesTotal", "messagesUnread", "threadsTotal", "threadsUnread")
    return dict(zip(names, row or (0, 0, 0, 0), strict=True))
