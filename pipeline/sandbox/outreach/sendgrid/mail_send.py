"""POST /v3/mail/send

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from email.utils import formataddr
from http import HTTPStatus

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.outreach import SENDGRID_API
from pipeline.sandbox.outreach.inbox import Inbox
from pipeline.sandbox.outreach.recipients import Arrival
from pipeline.sandbox.outreach.sendgrid.account import Account
from pipeline.sandbox.outreach.sendgrid.errors import (
    Problem,
    bad_request,
    too_large,
    unverified_sender,
)
from pipeline.sandbox.outreach.sendgrid.events import About, Events
from pipeline.sandbox.outreach.sendgrid.validation import KINDS, Item, problems

_LARGEST_BYTES = 30_000_000
#: https://www.twilio.com/docs/sendgrid/for-developers/sending-email/scheduling-parameters
_LATEST_SECONDS = 72 * 3600


@dataclass(frozen=True)
class _Sending:
    """A request that is accepted, and the id that it got."""

    body: Item
    x_message_id: str
    not_before_ms: int

    def part(self, kind: str) -> str:
        """The content of a type; empty without it."""
        parts = (part["value"] for part in self.body["content"] if part.get("type") == kind)
        return next(parts, "")

    @property
    def tracking(self) -> dict[str, bool]:
        """What is tracked; an account's defaults are on, but for its own unsubscribe links."""
        given = self.body.get("tracking_settings", {})
        defaults = {"open": True, "click": True, "subscription": True}
        return {
            name: bool(given.get(f"{name}_tracking", {}).get("enable", default))
            for name, default in defaults.items()
        }

    @property
    def group_id(self) -> int | None:
        group: int | None = self.body.get("asm", {}).get("group_id")
        return group

    @property
    def bypasses_suppressions(self) -> bool:
        return _is_on(self.body, "bypass_list_management")


class MailSend:
    """Takes mail into the inbox."""

    def __init__(self, account: Account, inbox: Inbox, events: Events) -> None:
        self._account, self._inbox, self._events = account, inbox, events

    def send(self, call: Call) -> Reply:
        body = _body(call)
        wrong = problems(body) or self._wrong_time(body)
        if wrong:
            raise bad_request(wrong)
        if not self._account.may_send_from(body["from"]["email"]):
            raise unverified_sender()
        if _is_on(body, "sandbox_mode"):
            return Reply(b"", HTTPStatus.OK)
        not_before_ms = 1000 * body.get("send_at", 0)
        sending = _Sending(body, secrets.token_urlsafe(16), not_before_ms)
        with call.store.database.transaction():
            self._take(sending)
        headers = (("X-Message-Id", sending.x_message_id),)
        return Reply(b"", HTTPStatus.ACCEPTED, headers)

    def _wrong_time(self, body: Item) -> list[Problem]:
        at = body.get("send_at")
        if at is None:
            return []
        latest = self._inbox.clock.now_ms() // 1000 + _LATEST_SECONDS
        if at <= latest:
            return []
        text = "Scheduled sends cannot be more than 72 hours in the future."
        return [Problem(text, "send_at", "message.send_at")]

    def _take(self, sending: _Sending) -> None:
        number = 0
        for personalization in sending.body["personalizations"]:
            for kind in KINDS:
                for person in personalization.get(kind, ()):
                    self._take_one(sending, personalization, person["email"], number)
                    number += 1

    def _take_one(
        self, sending: _Sending, personalization: Item, address: str, number: int
    ) -> None:
        body = sending.body
        headers = _headers(sending, personalization)
        custom = {**body.get("custom_args", {}), **personalization.get("custom_args", {})}
        details = {
            "categories": body.get("categories", []),
            "tracking": sending.tracking,
            "asm_group_id": sending.group_id,
            "sg_message_id": _long_id(sending.x_message_id, number),
            "smtp_id": headers["Message-ID"],
        }
        reason = None
        if not sending.bypasses_suppressions:
            reason = self._account.why_dropped(address, sending.group_id)
        if reason is None:
            self._events.add(_about(address, custom, details), {"event": "processed"})
        self._inbox.deliver(
            channel="email",
            provider=SENDGRID_API,
            provider_id=sending.x_message_id,
            to=address,
            from_=_shown(body["from"]),
            subject=headers["Subject"],
            text=_substituted(sending.part("text/plain"), personalization),
            html=_substituted(sending.part("text/html"), personalization),
            headers=headers,
            custom=custom,
            details={**details, "reason": reason},
            arrival=None if reason is None else Arrival.DROPPED,
            not_before_ms=sending.not_before_ms if reason is None else 0,
        )


def _body(call: Call) -> Item:
    if len(call.body) > _LARGEST_BYTES:
        raise too_large()
    try:
        body = json.loads(call.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_request([Problem("Bad Request")])
    return body


def first_recipient(call: Call) -> str | None:
    """Whom a mail is for, which is the user that a fault can match; None if it is no mail."""
    try:
        body = json.loads(call.body)
        return str(body["personalizations"][0]["to"][0]["email"]).lower()
    except (ValueError, LookupError, TypeError):
        return None


def _is_on(body: Item, name: str) -> bool:
    return bool(body.get("mail_settings", {}).get(name, {}).get("enable"))


def _about(address: str, custom: Item, details: Item) -> About:
    names = ("categories", "sg_message_id", "smtp_id")
    return About(address.lower(), custom, *(details[name] for name in names))


def _long_id(x_message_id: str, number: int) -> str:
    """What events call a message: the id of the request, and where it was processed."""
    host = f"recvd-{secrets.token_hex(5)}-{secrets.token_hex(3)[:5]}"
    return f"{x_message_id}.{host}-1-{secrets.token_hex(4).upper()}-{number}.0"


def _headers(sending: _Sending, personalization: Item) -> dict[str, str]:
    """The headers of a mail, as its recipient sees them; a Message-ID that is given stays."""
    body = sending.body
    given = {**body.get("headers", {}), **personalization.get("headers", {})}
    subject = str(personalization.get("subject") or body.get("subject"))
    named = {name.lower() for name in given}
    own = {
        "From": _shown(personalization.get("from") or body["from"]),
        "To": ", ".join(_shown(person) for person in personalization["to"]),
        "Subject": _substituted(subject, personalization),
        "Message-ID": f"<{sending.x_message_id}@geopod-ismtpd-sandbox>",
    }
    if personalization.get("cc"):
        own["Cc"] = ", ".join(_shown(person) for person in personalization["cc"])
    if body.get("reply_to"):
        own["Reply-To"] = _shown(body["reply_to"])
    if "message-id" in named:
        own["Message-ID"] = next(v for name, v in given.items() if name.lower() == "message-id")
    others = {name: text for name, text in given.items() if name.lower() != "message-id"}
    return {**own, **others}


def _shown(person: Item) -> str:
    return formataddr((person.get("name", ""), person["email"]))


def _substituted(text: str, personalization: Item) -> str:
    """Legacy substitution tags, which each personalization has its own values for."""
    values: dict[str, str] = personalization.get("substitutions", {})
    for tag, value in values.items():
        text = text.replace(tag, value)
    return text
