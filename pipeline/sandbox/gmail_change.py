"""What a mail client may do to a message: change labels, trash, untrash, delete for good."""

from __future__ import annotations

import json
from typing import Any

from pipeline.sandbox.calls import Call, Reply, invalid, not_found
from pipeline.sandbox.changes import Put, Remove
from pipeline.sandbox.gmail_labels import find_label
from pipeline.sandbox.stamps import GMAIL

_STREAM = "messages"


def modify_message(call: Call) -> Reply:
    body = call.json_body()
    add, remove = _known(call, body, "addLabelIds"), _known(call, body, "removeLabelIds")
    message = _message(call)
    kept = [label for label in message.get("labelIds", []) if label not in remove]
    return _relabel(call, message, [*kept, *(label for label in add if label not in kept)])


def trash_message(call: Call) -> Reply:
    message = _message(call)
    kept = [label for label in message.get("labelIds", []) if label not in {"INBOX", "TRASH"}]
    return _relabel(call, message, [*kept, "TRASH"])


def untrash_message(call: Call) -> Reply:
    message = _message(call)
    kept = [label for label in message.get("labelIds", []) if label != "TRASH"]
    return _relabel(call, message, kept)


def delete_message(call: Call) -> Reply:
    _message(call)
    change = Remove(GMAIL, _STREAM, call.path_values["id"])
    call.store.apply(call.user.user, change, call.store.clock.now())
    return Reply(b"", 204)


def _message(call: Call) -> dict[str, Any]:
    found = call.store.item(call.user.user, GMAIL, _STREAM, call.path_values["id"])
    if found is None:
        raise not_found()
    return found


def _known(call: Call, body: dict[str, Any], name: str) -> list[str]:
    labels = body.get(name, [])
    if not isinstance(labels, list):
        raise invalid(f"Invalid value at '{name}'")
    for label in labels:
        if find_label(call, str(label)) != label:
            raise invalid(f"Invalid label: {label}")
    return labels


def _relabel(call: Call, message: dict[str, Any], labels: list[str]) -> Reply:
    """Answers with the message's ids and labels only."""
    changed = message | {"labelIds": labels}
    change = Put(GMAIL, _STREAM, message["id"], changed)
    call.store.apply(call.user.user, change, call.store.clock.now())
    after = call.store.item(call.user.user, GMAIL, _STREAM, message["id"]) or changed
    shown = {name: after[name] for name in ("id", "threadId", "labelIds") if name in after}
    return Reply.of(json.dumps(shown))
