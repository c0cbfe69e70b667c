"""The part of `/control` that concerns SendGrid: its webhook, its account, and what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse

from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.outreach.sendgrid.account import KINDS, SCOPES
from pipeline.sandbox.outreach.sendgrid.api import SendGrid
from pipeline.sandbox.outreach.sendgrid.webhook import EVENTS, Config
from pipeline.sandbox.push.addresses import Verdict, judge

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked

_CHANGES = ("key", "sender", "domain", "suppress")


class SendGridControl:
    """Handlers over one sandbox's SendGrid."""

    def __init__(self, sendgrid: SendGrid) -> None:
        self._sendgrid, self._account = sendgrid, sendgrid.account
        self._webhook = sendgrid.webhook

    def table(self) -> dict[str, dict[str, Callable[[Asked], Any]]]:
        return {
            "/sendgrid/webhook": {"GET": self._show_webhook, "POST": self._put_webhook},
            "/sendgrid/rotate_key": {"POST": self._rotate_key},
            "/sendgrid/events": {"GET": self._list_events},
            "/sendgrid/account": {"GET": self._show_account, "POST": self._change_account},
        }

    # The webhook

    def _show_webhook(self, _: Asked) -> Any:
        config = self._webhook.config
        return {
            "url": config.url,
            "events": list(config.events),
            "public_key": self._webhook.public_key,
            "forgeries": {str(code): n for code, n in self._webhook.forgeries.items()},
        }

    def _put_webhook(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("url", "events"))
        url = given.text("url") if given.raw("url") else ""
        if url and judge(url) is not Verdict.GOOD:
            refuse("url", "needs an https address; http only on this machine")
        events = given.texts("events")
        unknown = sorted(set(events or ()) - set(EVENTS))
        if unknown:
            refuse("events", f"unknown {unknown[0]!r}; known are {', '.join(EVENTS)}")
        self._webhook.put(Config(url, EVENTS if events is None else events))
        return self._show_webhook(asked)

    def _rotate_key(self, _: Asked) -> Any:
        self._webhook.rotate()
        return {"public_key": self._webhook.public_key}

    def _list_events(self, _: Asked) -> Any:
        lines = (f"{json.dumps(row)}\n" for row in self._sendgrid.events.listed())
        return StreamingResponse(lines, media_type="application/x-ndjson")

    # The account

    def _show_account(self, _: Asked) -> Any:
        return {
            "senders": self._account.senders(),
            "domains": self._account.domains(),
            "suppressions": self._account.suppressions(),
        }

    def _change_account(self, asked: Asked) -> Any:
        given = Fields(asked.body, (*_CHANGES, "scopes", "verified", "kind", "group"))
        verified = given.raw("verified") is not False
        if given.has("key"):
            scopes = given.texts("scopes") or []
            for scope in scopes:
                if scope not in SCOPES:
                    refuse("scopes", f"unknown {scope!r}; known are {', '.join(SCOPES)}")
            self._account.put_key(given.text("key"), scopes)
        elif given.has("sender"):
            self._account.put_sender(given.text("sender"), verified=verified)
        elif given.has("domain"):
            self._account.put_domain(given.text("domain"), valid=verified)
        else:
            kind, group = given.choice("kind", KINDS), given.whole("group", 0)
            self._account.suppress(given.text("suppress"), kind, group)
        return self._show_account(asked)
