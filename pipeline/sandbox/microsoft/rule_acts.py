"""What an inbox rule looks at, and what it does.

https://learn.microsoft.com/graph/api/resources/messagerulepredicates
https://learn.microsoft.com/graph/api/resources/messageruleactions
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.microsoft.rows import DELETED, Message

if TYPE_CHECKING:
    from pipeline.sandbox.database import Database
    from pipeline.sandbox.microsoft.store import MailStore
    from pipeline.sandbox.store import User

Rule = dict[str, Any]

#: What Exchange marks forwarded mail with, so that no rule forwards it on for ever.
_LOOP = {"name": "X-MS-Exchange-Inbox-Rules-Loop", "value": "sandbox.example"}


def _has_any(text: str, words: Iterable[str]) -> bool:
    return any(word.casefold() in text.casefold() for word in words)


def _sender(message: Message) -> str:
    return str(message["from"]["emailAddress"].get("address", ""))


def _sent_by(message: Message, people: Iterable[dict[str, Any]]) -> bool:
    wanted = {entry["emailAddress"]["address"].casefold() for entry in people}
    return _sender(message).casefold() in wanted


def _sender_contains(message: Message, words: list[str]) -> bool:
    name = str(message["from"]["emailAddress"].get("name", ""))
    return _has_any(f"{name} {_sender(message)}", words)


def _content(message: Message) -> str:
    return str(message["body"]["content"])


PREDICATES: dict[str, Callable[[Message, Any], bool]] = {
    "fromAddresses": _sent_by,
    "senderContains": _sender_contains,
    "subjectContains": lambda message, words: _has_any(message["subject"], words),
    "bodyContains": lambda message, words: _has_any(_content(message), words),
    "bodyOrSubjectContains": lambda message, words: _has_any(
        f"{message['subject']} {_content(message)}", words
    ),
    "hasAttachments": lambda message, wanted: message["hasAttachments"] is wanted,
    "importance": lambda message, wanted: message["importance"] == wanted,
}
ACTIONS = (
    *("moveToFolder", "delete", "markAsRead", "assignCategories", "markImportance"),
    *("forwardTo", "stopProcessingRules"),
)


def rules_of(database: Database, user: User) -> list[Rule]:
    """A user's rules, in their order."""
    sql = "SELECT body FROM inbox_rules WHERE user_n = ? ORDER BY sequence, rule_id"
    return [json.loads(row[0]) for row in database.rows(sql, user.n)]


def fits(rule: Rule, message: Message) -> bool:
    """Whether all of a rule's conditions hold, and none of its exceptions."""
    conditions, exceptions = rule.get("conditions") or {}, rule.get("exceptions") or {}
    return all(PREDICATES[name](message, wanted) for name, wanted in conditions.items()) and not (
        any(PREDICATES[name](message, wanted) for name, wanted in exceptions.items())
    )


def act(
    mail: MailStore,
    user: User,
    message_id: str,
    rules: Iterable[Rule],
    deliver: Callable[[Message], None],
) -> None:
    """Do with a message that arrived what the rules say; `deliver` sends what is forwarded."""
    for rule in rules:
        message = mail.message(user, message_id)
        if message is None or not rule["isEnabled"] or not fits(rule, message):
            continue
        _do(mail, user, message, rule["actions"], deliver)
        if rule["actions"].get("stopProcessingRules"):
            return


def _do(
    mail: MailStore,
    user: User,
    message: Message,
    actions: dict[str, Any],
    deliver: Callable[[Message], None],
) -> None:
    changes: Message = {}
    if actions.get("markAsRead"):
        changes["isRead"] = True
    if actions.get("assignCategories"):
        changes["categories"] = [*message["categories"], *actions["assignCategories"]]
    if actions.get("markImportance"):
        changes["importance"] = actions["markImportance"]
    if changes:
        mail.patch(user, message["id"], changes)
    if actions.get("forwardTo") and _LOOP not in message["internetMessageHeaders"]:
        headers = [*message["internetMessageHeaders"], _LOOP]
        forwarded = {"subject": f"FW: {message['subject']}", "internetMessageHeaders": headers}
        deliver(message | forwarded | {"toRecipients": actions["forwardTo"]})
    target = DELETED if actions.get("delete") else actions.get("moveToFolder")
    if target and any(target in (folder.id, folder.well_known) for folder in mail.folders(user)):
        mail.move(user, message["id"], target)
