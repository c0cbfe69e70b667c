"""Drafts, and mail that is sent: it arrives with whoever has a mailbox here.

https://learn.microsoft.com/graph/outlook-create-send-messages
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import Call, Handler, Method, Reply
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.delivering import RECIPIENTS, deliver
from pipeline.sandbox.microsoft.errors import bad_request, graph_error
from pipeline.sandbox.microsoft.messages import check_fields, found, shown
from pipeline.sandbox.microsoft.people import mail_address
from pipeline.sandbox.microsoft.rows import DRAFTS, SENT, Item, Message, second_text
from pipeline.sandbox.microsoft.scopes import SEND_MAIL, WRITE_MAIL

#: What a client may send along, and the server decides.
_IGNORED = frozenset(("from", "sender", "isDraft", "isRead", "id", "changeKey", "parentFolderId"))
#: What a forward takes over from the mail that it forwards.
_SET_BY_US = frozenset(("conversationId", "hasAttachments", "internetMessageHeaders"))


def create_draft(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/user-post-messages"""
    folder = call.path_values.get("folder", DRAFTS)
    return shown(call, _drafted(call, folder, call.json_body()), HTTPStatus.CREATED)


def _drafted(call: Call, folder: str, message: Message) -> Item:
    mail, user = call.store.mail, call.user
    ours = {"isDraft": True, "isRead": True, "from": mail_address(user)}
    kept = {
        name: value
        for name, value in message.items()
        if not name.startswith("@") and name not in _IGNORED and value is not None
    }
    check_fields({name: kept[name] for name in kept if name not in _SET_BY_US}, draft=True)
    _check_recipients(kept)
    message_id = mail.add_message(user, folder, kept | ours | {"sender": ours["from"]})
    return mail.item(user, message_id)


def create_forward(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/message-createforward"""
    draft = _forward_draft(call, found(call))
    return shown(call, draft, HTTPStatus.CREATED)


def _forward_draft(call: Call, original: Item) -> Item:
    body = call.json_body()
    message = original.shown()
    given = body.get("message") or {}
    recipients = body.get("toRecipients") or given.get("toRecipients") or []
    content = str(message["body"]["content"])
    comment = str(body.get("comment") or "")
    draft = {
        "subject": f"FW: {message['subject']}",
        "body": message["body"] | {"content": f"{comment}\n\n{content}"},
        "conversationId": message["conversationId"],
        "importance": message["importance"],
        "hasAttachments": message["hasAttachments"],
        **given,
        "toRecipients": recipients,
    }
    return _drafted(call, DRAFTS, draft)


def send_draft(call: Call) -> Reply:
    """The draft becomes the mail in Sent Items, under the same immutable id.

    https://learn.microsoft.com/graph/api/message-send
    """
    item = found(call)
    if not json.loads(item.body)["isDraft"]:
        message = "The item has been sent already."
        raise graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidRequest", message)
    _send(call, item)
    return _accepted()


def _send(call: Call, item: Item) -> None:
    mail, message = call.store.mail, item.shown()
    if not any(message.get(name) for name in RECIPIENTS):
        text = "At least one recipient is not valid."
        raise graph_error(HTTPStatus.BAD_REQUEST, "ErrorInvalidRecipients", text)
    with call.store.database.transaction():
        now = second_text(call.store.clock.now())
        mail.patch(
            *(call.user, item.id),
            {"isDraft": False, "sentDateTime": now, "receivedDateTime": now},
        )
        mail.move(call.user, item.id, SENT)
        deliver(call.store, call.user, message)


def forward(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/message-forward"""
    with call.store.database.transaction():
        _send(call, _forward_draft(call, found(call)))
    return _accepted()


def send_mail(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/user-sendmail"""
    body = call.json_body()
    message = body.get("message")
    if not isinstance(message, dict):
        raise bad_request("The parameter 'Message' is required.", "ErrorInvalidRequest")
    with call.store.database.transaction():
        draft = _drafted(call, DRAFTS, message)
        _send(call, draft)
        if body.get("saveToSentItems") is False:
            call.store.mail.remove(call.user, draft.id)
    return _accepted()


def _check_recipients(message: Message) -> None:
    for name in RECIPIENTS:
        entries = message.get(name, [])
        if not isinstance(entries, list) or not all(_has_address(entry) for entry in entries):
            message_text = f"'{name}' needs a list of recipients with an emailAddress."
            raise bad_request(message_text, "ErrorInvalidRecipients")


def _has_address(entry: Any) -> bool:
    address = entry.get("emailAddress") if isinstance(entry, dict) else None
    return isinstance(address, dict) and "@" in str(address.get("address", ""))


def _accepted() -> Reply:
    return Reply(b"", HTTPStatus.ACCEPTED)


def _method(name: str, path: str, handler: Handler, scopes: frozenset[str]) -> Method:
    return Method(GRAPH_API, name, "POST", path, scopes, handler)


_MESSAGE = "/me/messages/{message}"

METHODS = (
    _method("messages.create", "/me/messages", create_draft, WRITE_MAIL),
    _method("messages.create", "/me/mailFolders/{folder}/messages", create_draft, WRITE_MAIL),
    _method("messages.createForward", f"{_MESSAGE}/createForward", create_forward, WRITE_MAIL),
    _method("messages.send", f"{_MESSAGE}/send", send_draft, SEND_MAIL),
    _method("messages.forward", f"{_MESSAGE}/forward", forward, SEND_MAIL),
    _method("sendMail", "/me/sendMail", send_mail, SEND_MAIL),
)
