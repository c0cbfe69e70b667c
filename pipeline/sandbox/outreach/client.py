"""What the control client can ask about recipients and their inbox, and of SendGrid."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

Item = dict[str, Any]


class OutreachClient(ABC):
    """Inbox, recipients and SendGrid; a part of SandboxClient."""

    # Recipients

    def recipient(self, address: str, **habits: Any) -> None:
        """Give an address, or all that fit one with * or ?, its habits; without any, the usual.

        `arrival`: delivered (as without habits), bounced, blocked, deferred (so many `deferrals`,
        `deferred_seconds` apart, then delivered) or dropped.  `delivered_after` seconds.  After
        delivery, in seconds: `machine_opens_after`, `opens_after`, `clicks_after` (link number
        `clicks_link`), `replies_after` (with `reply_text`), `unsubscribes_after`
        (`unsubscribes_by`: unsubscribe is one click, or provider_unsubscribe),
        `reports_spam_after`.
        """
        self._ask("POST", "outreach/recipients", {"address": address, "habits": habits})

    def recipients(self) -> list[Item]:
        return list(self._ask("GET", "outreach/recipients")["recipients"])

    def recipient_act(self, message_id: str, act: str, **how: Any) -> str:
        """Have the recipient of a message (its `id` in the inbox) do something now: open,
        machine_open, click (`link` number or `url`), reply (`text`), unsubscribe,
        provider_unsubscribe, group_unsubscribe, group_resubscribe, spam, late_bounce.

        Returns what came of it, such as the status of what was fetched.
        """
        body = {"message": message_id, "act": act, "how": how}
        return str(self._ask("POST", "outreach/acts", body)["outcome"])

    def recipient_acts(self, address: str | None = None) -> list[Item]:
        """What recipients did and will do: `message`, `address`, `act`, `how`, `due`, `done`
        (None: not yet), `outcome`."""
        query = "" if address is None else f"?{urlencode({'address': address})}"
        return list(self._ask("GET", f"outreach/acts{query}")["acts"])

    def sms_reply(self, message_id: str, text: str) -> str:
        """Have whoever got a text message answer it."""
        return self.recipient_act(message_id, "reply", text=text)

    # Inbox

    def inbox(
        self,
        address: str | None = None,
        since: datetime | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[Item]:
        """Messages that were accepted, oldest first: `number`, `id`, `channel`, `provider`,
        `provider_id`, `to`, `from`, `subject`, `text`, `html`, `headers`, `custom_args`,
        `categories`, `received_at`, `status` and since when (`status_at`), and what the recipient
        has done with it (`acts`).

        `after` is the number of the last message that is known already; a `limit` takes the
        first ones, or the `newest`.
        """
        query: Item = {"after": after}
        if address is not None:
            query["address"] = address
        if since is not None:
            query["since"] = since.isoformat()
        if limit is not None:
            query["limit"] = limit
        if newest:
            query["newest"] = "1"
        return list(self._ask("GET", f"outreach/inbox?{urlencode(query)}")["messages"])

    def outreach_truth(self) -> Iterator[Item]:
        """Of every message, however many there are, who got it and when, without what it says:
        `id`, `channel`, `provider`, `provider_id`, `to`, `custom_args`, `message_id_header`,
        `status`, `received_at`."""
        yield from self._stream("outreach/truth")

    def outreach(self) -> Item:
        """How many `messages` there are, how many acts are due and not done (`acts_due`), and
        how much providers have still to tell (`waiting`, by provider)."""
        return self._ask("GET", "outreach")

    def wait_until_outreach_is_quiet(self, seconds: float = 30.0) -> None:
        """Return once nothing is due any more and everything was told.  Raises TimeoutError."""
        end = time.monotonic() + seconds
        while (found := self.outreach())["acts_due"] or any(found["waiting"].values()):
            if time.monotonic() > end:
                raise TimeoutError(f"still due or waiting: {found}")
            time.sleep(0.01)

    def clear_outreach(self) -> None:
        """Forget messages, recipients, webhooks and events; SendGrid's account is a new one."""
        self._ask("DELETE", "outreach")

    # SendGrid

    def sendgrid_webhook(self, url: str | None, events: Sequence[str] | None = None) -> Item:
        """Tell events, all or these, to an address, or to nobody; returns `url`, `events`,
        `public_key` (base64 of its DER) and `forgeries`, by status of the answer."""
        return self._ask("POST", "sendgrid/webhook", {"url": url or "", "events": events})

    def sendgrid_webhook_settings(self) -> Item:
        return self._ask("GET", "sendgrid/webhook")

    def sendgrid_public_key(self) -> str:
        return str(self.sendgrid_webhook_settings()["public_key"])

    def sendgrid_rotate_key(self) -> str:
        """Sign with a new key from now on; returns its public half."""
        return str(self._ask("POST", "sendgrid/rotate_key")["public_key"])

    def sendgrid_events(self) -> list[Item]:
        """Every event, oldest first: its `body`, and its `state`: off (the webhook does not want
        it), waiting, batched, told, lost (by a fault), failed (never received)."""
        return list(self._stream("sendgrid/events"))

    def sendgrid_account(self) -> Item:
        """`senders`, `domains`, and whom it does not mail any more (`suppressions`)."""
        return self._ask("GET", "sendgrid/account")

    def sendgrid_key(self, key: str, scopes: Sequence[str]) -> None:
        """Give a key exactly these scopes; without any it is revoked."""
        self._ask("POST", "sendgrid/account", {"key": key, "scopes": list(scopes)})

    def sendgrid_sender(self, address: str, *, verified: bool = True) -> None:
        """Add a single sender, or change whether it is verified."""
        self._ask("POST", "sendgrid/account", {"sender": address, "verified": verified})

    def sendgrid_domain(self, domain: str, *, verified: bool = True) -> None:
        """Add a domain to send from, or change whether its DNS records are right."""
        self._ask("POST", "sendgrid/account", {"domain": domain, "verified": verified})

    def sendgrid_suppress(self, address: str, kind: str = "unsubscribe", group: int = 0) -> None:
        """Put an address on SendGrid's own list: bounce, spamreport, unsubscribe or
        group_unsubscribe."""
        body = {"suppress": address, "kind": kind, "group": group}
        self._ask("POST", "sendgrid/account", body)

    @abstractmethod
    def _ask(self, verb: str, path: str, body: Item | None = None) -> Item:
        """Ask `/control`."""

    @abstractmethod
    def _stream(self, path: str, query: Item | None = None) -> Iterator[Item]:
        """Ask `/control` for lines of JSON."""
