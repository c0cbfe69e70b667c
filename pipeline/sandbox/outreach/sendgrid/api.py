"""SendGrid's API, put together: the way of every request to it."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from pipeline.sandbox import faults as fault_rules
from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.outreach import SENDGRID_API
from pipeline.sandbox.outreach.sendgrid.account import (
    MAIL_SEND,
    READ_ACTIVITY,
    READ_DOMAINS,
    Account,
)
from pipeline.sandbox.outreach.sendgrid.activity import Activity
from pipeline.sandbox.outreach.sendgrid.errors import (
    forbidden,
    not_found,
    not_signed_in,
    refused,
    too_many,
    wrong_key,
)
from pipeline.sandbox.outreach.sendgrid.events import Events, SendGridCarrier
from pipeline.sandbox.outreach.sendgrid.mail_send import MailSend, first_recipient
from pipeline.sandbox.outreach.sendgrid.pushing import EventPusher
from pipeline.sandbox.outreach.sendgrid.webhook import Webhook
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store
from pipeline.sandbox.usage import Usage

_ROOT = "/v3/"
_WINDOW_SECONDS = 60


@dataclass
class _Budget:
    """How many requests the account has left in this minute, by the real clock."""

    ends_at: int = 0
    used: int = 0

    def take(self, limit: int) -> tuple[int, int]:
        """Take one; returns how many are left, below 0 if there was none, and when all are back."""
        now = time.time()
        if now >= self.ends_at:
            self.ends_at, self.used = math.ceil(now) + _WINDOW_SECONDS, 0
        self.used += 1
        return limit - self.used, self.ends_at


class SendGrid:
    """Answers what is asked under /v3."""

    def __init__(self, store: Store, faults: Faults, usage: Usage) -> None:
        self.account, self.webhook = Account(store.database), Webhook(store.database)
        self.events = Events(store.database, store.clock, self.webhook)
        self.pusher = EventPusher(store, self.events, self.webhook, faults)
        self._activity = Activity(store.inbox, self.events)
        self._faults, self._usage = faults, usage
        self._budget, self._lock = _Budget(), threading.Lock()
        self._settings = Settings()
        store.inbox.carriers[SENDGRID_API] = SendGridCarrier(self.events, self.account)
        sending = MailSend(self.account, store.inbox, self.events)
        table: tuple[tuple[str, str, str, str | None, Handler], ...] = (
            ("mail.send", "POST", "mail/send", MAIL_SEND, sending.send),
            ("scopes.list", "GET", "scopes", None, self._scopes),
            ("verified_senders.list", "GET", "verified_senders", None, self._senders),
            ("whitelabel.domains.list", "GET", "whitelabel/domains", READ_DOMAINS, self._domains),
            ("messages.list", "GET", "messages", READ_ACTIVITY, self._activity.search),
        )
        self._methods = {
            (verb, f"{_ROOT}{path}"): Method(
                *(SENDGRID_API, name, verb, f"{_ROOT}{path}"),
                frozenset() if scope is None else frozenset((scope,)),
                handler,
            )
            for name, verb, path, scope, handler in table
        }

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is SendGrid's."""
        return path.startswith(_ROOT)

    def use(self, settings: Settings) -> None:
        """Take settings that control was given."""
        self._settings = self._activity.settings = self.pusher.settings = settings

    def answer(self, call: Call) -> Reply:
        """Answer a call; never raises ApiError."""
        method = self._methods.get((call.verb, call.path.rstrip("/")))
        limits: tuple[tuple[str, str], ...] = ()
        try:
            key = self._sign_in(call)
            if method is None:
                raise not_found()
            call.fault = self._faults.choose(call, method, first_recipient(call))
            fault_rules.before(call, method)
            if not method.scopes <= key:
                raise forbidden()
            limits = self._spend()
            with call.store.reading():
                reply = method.handler(call)
            fault_rules.instead(call)
        except ApiError as error:
            reply = refused(error)
            if error.status == HTTPStatus.TOO_MANY_REQUESTS:
                limits = _told_to_wait(error, self._limit)
        name = "unknown" if method is None else method.name
        self._usage.add(SENDGRID_API, name, "", reply.status, 1)
        reply = replace(reply, headers=(*reply.headers, *limits))
        return fault_rules.after(reply, call.fault)

    def _sign_in(self, call: Call) -> frozenset[str]:
        kind, _, key = call.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise not_signed_in()
        scopes = self.account.scopes(key)
        if scopes is None:
            raise wrong_key()
        call.scopes = scopes
        return scopes

    @property
    def _limit(self) -> int:
        return int(self._settings.sendgrid_requests_per_minute * self._settings.quota_scale)

    def _spend(self) -> tuple[tuple[str, str], ...]:
        """https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits"""
        with self._lock:
            left, ends_at = self._budget.take(self._limit)
        if left < 0 and self._settings.quotas_enabled:
            error = too_many()
            error.headers = _limits(self._limit, 0, ends_at)
            raise error
        return _limits(self._limit, max(0, left), ends_at)

    # What an account is asked to verify a sender

    def _scopes(self, call: Call) -> Reply:
        return Reply.of({"scopes": sorted(call.scopes)})

    def _senders(self, _: Call) -> Reply:
        """https://www.twilio.com/docs/sendgrid/api-reference/sender-verification/get-all-verified-senders"""
        return Reply.of({"results": [_sender(row) for row in self.account.senders()]})

    def _domains(self, call: Call) -> Reply:
        """https://www.twilio.com/docs/sendgrid/api-reference/domain-authentication/list-all-authenticated-domains"""
        wanted = call.text("domain")
        rows = [row for row in self.account.domains() if wanted in (None, row["domain"])]
        return Reply.of([_domain(row) for row in rows])


def _limits(limit: int, left: int, reset: int) -> tuple[tuple[str, str], ...]:
    return (
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", str(left)),
        ("X-RateLimit-Reset", str(reset)),
    )


def _told_to_wait(error: ApiError, limit: int) -> tuple[tuple[str, str], ...]:
    """The headers of a 429: a fault says in `retry_after` how many seconds to wait."""
    given = dict(error.headers)
    if "retry-after" not in given:
        return error.headers
    return _limits(limit, 0, math.ceil(time.time() + float(given["retry-after"])))


def _sender(row: dict[str, Any]) -> dict[str, Any]:
    address = row["address"]
    return {
        "id": row["id"],
        "nickname": address.partition("@")[0],
        "from_email": address,
        "from_name": "",
        "reply_to": address,
        "reply_to_name": "",
        "address": "1 Main Street",
        "address2": "",
        "state": "",
        "city": "Springfield",
        "zip": "",
        "country": "USA",
        "verified": row["verified"],
        "locked": False,
    }


def _domain(row: dict[str, Any]) -> dict[str, Any]:
    domain, valid = row["domain"], row["valid"]
    host = f"em{row['id']}.{domain}"
    return {
        "id": row["id"],
        "user_id": 1,
        "subdomain": f"em{row['id']}",
        "domain": domain,
        "username": "sandbox",
        "ips": [],
        "custom_spf": False,
        "default": row["id"] == 1,
        "legacy": False,
        "automatic_security": True,
        "valid": valid,
        "dns": {
            name: {"valid": valid, "type": "cname", "host": f"{prefix}{domain}", "data": data}
            for name, prefix, data in (
                ("mail_cname", f"em{row['id']}.", "u1.wl.sendgrid.net"),
                ("dkim1", "s1._domainkey.", f"s1.{host}"),
                ("dkim2", "s2._domainkey.", f"s2.{host}"),
            )
        },
    }
