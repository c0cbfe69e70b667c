"""Twilio's REST API for SMS: send, list and fetch messages, numbers, and the account."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pipeline.sandbox.calls import ApiError, Call, Method, Reply
from pipeline.sandbox.clock import epoch_ms
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.outreach import TWILIO_ACCOUNT_SID, TWILIO_API, TWILIO_AUTH_TOKEN
from pipeline.sandbox.outreach.messages import Message
from pipeline.sandbox.outreach.recipients import Act, Arrival
from pipeline.sandbox.outreach.twilio_checks import check, refused
from pipeline.sandbox.outreach.twilio_posts import TwilioPosts
from pipeline.sandbox.outreach.twilio_rows import (
    INBOUND,
    OUTBOUND,
    ROOT,
    VERSION,
    Sms,
    TwilioRows,
)
from pipeline.sandbox.store import Store

_STOP = frozenset(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"))
_START = frozenset(("START", "YES", "UNSTOP"))
#: What an arrival is at Twilio, and why: https://www.twilio.com/docs/api/errors/30003
_STATUS: dict[Arrival, tuple[str, int | None]] = {
    Arrival.DELIVERED: ("delivered", None),
    Arrival.BOUNCED: ("undelivered", 30005),
    Arrival.BLOCKED: ("undelivered", 30007),
    Arrival.DROPPED: ("failed", 30008),
    Arrival.DEFERRED: ("sent", None),
}
_PAGE_SIZE, _LARGEST_PAGE = 50, 1000
_DAY = timedelta(days=1)


class Twilio:
    """One account.  It carries its messages: it is told by the inbox how they fare."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store, self._inbox = store, store.inbox
        self._rows = TwilioRows(store.database, store.clock)
        self.posts = TwilioPosts(store, faults)
        store.inbox.carriers[TWILIO_API] = self

    def methods(self) -> list[Method]:
        account = f"/{VERSION}/Accounts/{{account}}"
        numbers = f"{account}/IncomingPhoneNumbers"
        table: tuple[tuple[str, str, str, Callable[[Call], Reply]], ...] = (
            ("messages.create", "POST", f"{account}/Messages.json", self._create),
            ("messages.list", "GET", f"{account}/Messages.json", self._list),
            ("messages.get", "GET", f"{account}/Messages/{{sid}}.json", self._get),
            ("numbers.list", "GET", f"{numbers}.json", self._list_numbers),
            ("numbers.create", "POST", f"{numbers}.json", self._create_number),
            ("numbers.update", "POST", f"{numbers}/{{sid}}.json", self._update_number),
            ("account.get", "GET", f"{account}.json", self._account),
        )
        return [
            Method(TWILIO_API, name, verb, path, frozenset(), _signed_in(handler), open=True)
            for name, verb, path, handler in table
        ]

    # The API

    def _create(self, call: Call) -> Reply:
        form = _form(call)
        check(form, self._rows)
        with self._store.database.transaction():
            sms = self._rows.add(
                *(OUTBOUND, form["To"], form["From"], form["Body"]),
                form.get("StatusCallback", ""),
            )
            self._inbox.deliver(
                channel="sms",
                provider=TWILIO_API,
                to=sms.to,
                from_=sms.from_,
                provider_id=sms.sid,
                text=sms.body,
            )
        return Reply.of(sms.described(), 201)

    def _list(self, call: Call) -> Reply:
        size = call.number("PageSize", _PAGE_SIZE, _LARGEST_PAGE)
        token = call.text("PageToken") or ""
        before_n = int(token[2:]) if re.fullmatch(r"PA\d+", token) else None
        found = self._rows.messages(_wanted(call), before_n, size + 1)
        page, has_more = found[:size], len(found) > size
        following = f"PA{page[-1].n}" if has_more else None
        return Reply.of(_page(call, "messages", [sms.described() for sms in page], following))

    def _get(self, call: Call) -> Reply:
        sms = self._rows.message(call.path_values["sid"])
        if sms is None:
            raise refused(20404, f"The requested resource {call.path} was not found", 404)
        return Reply.of(sms.described())

    def _list_numbers(self, call: Call) -> Reply:
        wanted = call.text("PhoneNumber")
        found = [one for one in self._rows.numbers() if wanted in (None, one["phone_number"])]
        return Reply.of(_page(call, "incoming_phone_numbers", found, None))

    def _create_number(self, call: Call) -> Reply:
        form = _form(call)
        number = form.get("PhoneNumber", "")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
            raise refused(21421, f"PhoneNumber {number} is invalid")
        self._rows.put_number(number, sms_url=form.get("SmsUrl", ""))
        return Reply.of(self._rows.number(number), 201)

    def _update_number(self, call: Call) -> Reply:
        for found in self._rows.numbers(call.path_values["sid"]):
            url = _form(call).get("SmsUrl", found["sms_url"])
            self._rows.put_number(found["phone_number"], sms_url=url)
            return Reply.of(self._rows.number(found["phone_number"]))
        raise refused(20404, f"The requested resource {call.path} was not found", 404)

    def _account(self, _: Call) -> Reply:
        """https://www.twilio.com/docs/iam/api/account"""
        names = {"friendly_name": "Sandbox", "status": "active", "type": "Full"}
        uris = {"messages": f"{ROOT}/Messages.json"}
        about = {"sid": TWILIO_ACCOUNT_SID, "owner_account_sid": TWILIO_ACCOUNT_SID}
        return Reply.of({**about, **names, "uri": f"{ROOT}.json", "subresource_uris": uris})

    # What becomes of messages

    def arrived(self, message: Message, arrival: Arrival) -> None:
        sms = self._rows.message(message.provider_id)
        if sms is None:
            return
        if sms.status == "queued":
            self._tell(self._rows.change(sms.sid, "sent"))
        if arrival != Arrival.DEFERRED:
            self._tell(self._rows.change(sms.sid, *_STATUS[arrival]))

    def acted(self, message: Message, act: Act, how: Mapping[str, Any]) -> None:
        if act == Act.REPLY:
            self._answered(message, str(how.get("text", "")))
        elif act in (Act.UNSUBSCRIBE, Act.PROVIDER_UNSUBSCRIBE):
            self._answered(message, "STOP")

    def waiting(self) -> int:
        return self.posts.waiting()

    def clear(self) -> None:
        self._rows.clear()

    def _answered(self, message: Message, text: str) -> None:
        """https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"""
        word = text.strip().upper()
        if word in _STOP or word in _START:
            self._rows.set_opt_out(message.to, message.from_, opted_out=word in _STOP)
        sms = self._rows.add(INBOUND, message.from_, message.to, text)
        number = self._rows.number(message.from_)
        url = "" if number is None else number["sms_url"]
        form = _told(sms, "received") | {"Body": text, "NumMedia": "0", "NumSegments": "1"}
        self.posts.add(message.to, url, form | {"SmsMessageSid": sms.sid})

    def _tell(self, sms: Sms) -> None:
        form = _told(sms, sms.status) | {"MessageStatus": sms.status}
        if sms.error_code is not None:
            form["ErrorCode"] = str(sms.error_code)
        self.posts.add(sms.to, sms.callback, form)


def _told(sms: Sms, status: str) -> dict[str, str]:
    """https://www.twilio.com/docs/messaging/guides/webhook-request"""
    about = {"MessageSid": sms.sid, "SmsSid": sms.sid, "SmsStatus": status}
    where = {"AccountSid": TWILIO_ACCOUNT_SID, "ApiVersion": VERSION}
    return about | where | {"To": sms.to, "From": sms.from_}


def _signed_in(handler: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
    """Let only the account's own requests through."""

    def answer(call: Call) -> Reply:
        kind, _, encoded = call.headers.get("authorization", "").partition(" ")
        given = b""
        with suppress(ValueError):
            given = b64decode(encoded) if kind.lower() == "basic" else b""
        if given.decode("utf-8", "replace") != f"{TWILIO_ACCOUNT_SID}:{TWILIO_AUTH_TOKEN}":
            raise refused(20003, "Authenticate", 401)
        if call.path_values["account"] != TWILIO_ACCOUNT_SID:
            raise refused(20404, f"The requested resource {call.path} was not found", 404)
        return handler(call)

    return answer


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _wanted(call: Call) -> dict[str, Any]:
    """The filters of a list as conditions; a date without a time is that whole day."""
    wanted: dict[str, Any] = {}
    for name, column in (("To", "recipient"), ("From", "sender")):
        if call.text(name) is not None:
            wanted[f"{column} = ?"] = call.text(name)
    on, after, before = (call.text(name) for name in ("DateSent", "DateSent>", "DateSent<"))
    if on is not None:
        day = _moment(on).replace(hour=0, minute=0, second=0, microsecond=0)
        wanted["sent_ms >= ?"], wanted["sent_ms < ?"] = epoch_ms(day), epoch_ms(day + _DAY)
    if after is not None:
        wanted["sent_ms >= ? "] = epoch_ms(_moment(after))
    if before is not None:
        wanted["sent_ms <= ? "] = epoch_ms(_moment(before))
    return wanted


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, "20001", f"{text} is not a valid date") from None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _page(
    call: Call, name: str, entries: list[dict[str, Any]], following: str | None
) -> dict[str, Any]:
    """https://www.twilio.com/docs/usage/twilios-response#pagination"""
    number = call.number("Page", 0, 1_000_000, lowest=0)
    size = call.number("PageSize", _PAGE_SIZE, _LARGEST_PAGE)
    kept = [(key, value) for key, value in call.query if key not in ("Page", "PageToken")]
    token = [("Page", str(number + 1)), ("PageToken", following or "")]
    start = number * size
    return {
        "first_page_uri": f"{call.path}?{urlencode([*kept, ('Page', '0')])}",
        "next_page_uri": f"{call.path}?{urlencode([*kept, *token])}" if following else None,
        "previous_page_uri": None,
        "page": number,
        "page_size": size,
        "start": start,
        "end": start + max(len(entries) - 1, 0),
        "uri": f"{call.path}?{urlencode(call.query)}",
        name: entries,
    }
