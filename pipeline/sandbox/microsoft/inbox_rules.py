"""Inbox rules: what Exchange itself does with mail that arrives.

https://learn.microsoft.com/graph/api/resources/messagerule
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import Call, Handler, Method, Reply, dump_json
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import bad_request, graph_error
from pipeline.sandbox.microsoft.ids import number_text
from pipeline.sandbox.microsoft.rows import INBOX
from pipeline.sandbox.microsoft.rule_acts import ACTIONS, PREDICATES, Rule, rules_of
from pipeline.sandbox.microsoft.scopes import READ_SETTINGS, WRITE_SETTINGS

_FIELDS = ("displayName", "sequence", "isEnabled", "conditions", "exceptions", "actions")


def list_rules(call: Call) -> Reply:
    _check_inbox(call)
    return Reply.of({"value": rules_of(call.store.database, call.user)})


def get_rule(call: Call) -> Reply:
    return Reply.of(_found(call))


def create_rule(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/mailfolder-post-messagerules"""
    _check_inbox(call)
    body = call.json_body()
    _check(call, body)
    if not body.get("displayName") or not body.get("actions"):
        raise bad_request("A rule needs a displayName and actions.", "ErrorInvalidRequest")
    numbers = [rule["sequence"] for rule in rules_of(call.store.database, call.user)]
    rule: Rule = {
        "id": f"AQAA{number_text(call.store.mail.next_number(call.user), 8)}=",
        "displayName": body["displayName"],
        "sequence": body.get("sequence", max(numbers, default=0) + 1),
        "isEnabled": body.get("isEnabled", True),
        "hasError": False,
        "isReadOnly": False,
        **{name: body[name] for name in ("conditions", "exceptions", "actions") if name in body},
    }
    _write(call, rule)
    return Reply.of(rule, HTTPStatus.CREATED)


def change_rule(call: Call) -> Reply:
    rule, body = _found(call), call.json_body()
    _check(call, body)
    rule |= {name: value for name, value in body.items() if name in _FIELDS}
    _write(call, rule)
    return Reply.of(rule)


def delete_rule(call: Call) -> Reply:
    sql = "DELETE FROM inbox_rules WHERE user_n = ? AND rule_id = ?"
    call.store.database.run(sql, call.user.n, _found(call)["id"])
    return Reply(b"", HTTPStatus.NO_CONTENT)


def _write(call: Call, rule: Rule) -> None:
    sql = "INSERT OR REPLACE INTO inbox_rules VALUES (?, ?, ?, ?)"
    values = (call.user.n, rule["id"], rule["sequence"], dump_json(rule))
    call.store.database.run(sql, *values)


def _found(call: Call) -> Rule:
    _check_inbox(call)
    for rule in rules_of(call.store.database, call.user):
        if rule["id"] == call.path_values["rule"]:
            return rule
    message = "The specified rule was not found."
    raise graph_error(HTTPStatus.NOT_FOUND, "ErrorItemNotFound", message)


def _check_inbox(call: Call) -> None:
    folder = call.store.mail.folder(call.user, call.path_values["folder"])
    if folder.well_known != INBOX:
        raise bad_request("Only the Inbox has rules.", "ErrorInvalidRequest")


def _check(call: Call, body: dict[str, Any]) -> None:
    for name, known in (("conditions", PREDICATES), ("exceptions", PREDICATES)):
        _check_names(name, body.get(name), known)
    _check_names("actions", body.get("actions"), ACTIONS)
    if not isinstance(body.get("sequence", 1), int) or body.get("sequence", 1) < 1:
        raise bad_request("The sequence needs a whole number above 0.", "ErrorInvalidRequest")
    target = (body.get("actions") or {}).get("moveToFolder")
    if target is not None:
        call.store.mail.folder(call.user, str(target))


def _check_names(name: str, value: Any, known: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not set(value) <= set(known):
        raise bad_request(f"The {name} of the rule are not supported.", "ErrorInvalidRequest")


def _method(
    name: str, verb: str, path: str, handler: Handler, scopes: frozenset[str] = WRITE_SETTINGS
) -> Method:
    root = "/me/mailFolders/{folder}/messageRules"
    return Method(GRAPH_API, f"messageRules.{name}", verb, root + path, scopes, handler)


METHODS = (
    _method("list", "GET", "", list_rules, READ_SETTINGS),
    _method("create", "POST", "", create_rule),
    _method("get", "GET", "/{rule}", get_rule, READ_SETTINGS),
    _method("update", "PATCH", "/{rule}", change_rule),
    _method("delete", "DELETE", "/{rule}", delete_rule),
)
