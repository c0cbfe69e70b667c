"""Microsoft 365 mail: one subscription per mailbox, to all of its messages.

https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from models import Subscription
from pipeline.config import settings
from pipeline.errors import Gone, HeadraceError, Permanent, Transient
from pipeline.push.registration import Kind, Registration, why_no_address
from pipeline.sources import source_named
from pipeline.sources.base import ProviderClient
from pipeline.stores import Row, collection, redis_client

log = logging.getLogger(__name__)

PATH = "/webhooks/microsoft"
RESOURCE = "me/messages"
CHANGES = "created,updated,deleted"
#: Redis: how many minutes a subscription may live at most, once Microsoft has said so.
CEILING = "headrace:microsoft:subscription-minutes"
_CEILING_KEPT_SECONDS = 30 * 86_400
#: Microsoft documents 10,080 minutes, and has refused more than 10,070.
_DOCUMENTED_MINUTES = 10_000.0
_TOO_LONG = re.compile(r"at most (\d+) minutes")


class MicrosoftMailSubscription(Kind):
    """A subscription goes on when its end is moved; what it tells of never changes."""

    source = "microsoft_mail"
    provider = "microsoft"
    in_place = True

    @property
    def renew_seconds(self) -> float:
        """Half of the life that a subscription is given."""
        return self._minutes() * 60 / 2

    def why_not(self) -> str:
        """Return what is wrong with our address, if anything is."""
        return why_no_address("Microsoft", settings().microsoft_graph_base_url)

    def target(self) -> str:
        """Return the address of our webhook."""
        return settings().public_base_url + PATH

    def streams(self, state: Row) -> list[str]:  # noqa: ARG002
        """Return the one that stands for the whole mailbox."""
        return [source_named(self.source).root_stream]

    def goes_on(self, row: Row) -> bool:
        """Return whether `row` serves as it is: neither silent, nor one that tells others."""
        here = row["target"] == self.target() == row.get("lifecycle_target")
        return bool(row["status"] == "active" and row.get("resource_id") and here)

    def register(self, client: ProviderClient, row: Row, token: str) -> Registration:
        """Make the subscription of `row`, whose secret is `token`; without one, prolong it.

        Raises Gone if there is nothing to prolong.
        """
        if not token:
            return self._prolonged(client, row)
        try:
            return self._made(client, row, token)
        except (Permanent, Transient):
            # Another one in the way, of which we know nothing, would be in it for days.
            if not self._clear(client, row):
                raise
        return self._made(client, row, token)

    def stop(self, client: ProviderClient, row: Row) -> None:
        """Delete the subscription; impossible until Microsoft's name of it is known."""
        if row.get("resource_id"):
            client.call("DELETE /subscriptions/{id}", id=row["resource_id"])

    def _made(self, client: ProviderClient, row: Row, token: str) -> Registration:
        wanted = {
            "changeType": CHANGES,
            "resource": RESOURCE,
            "notificationUrl": self.target(),
            # It cannot be added later.
            "lifecycleNotificationUrl": self.target(),
            "clientState": f"{row['_id']}:{token}",
            "latestSupportedTlsVersion": "v1_2",
        }
        answer = self._asked(client, "POST /subscriptions", wanted)
        subscription_id = answer.get("id")
        if not isinstance(subscription_id, str) or not subscription_id:
            raise Transient("POST /subscriptions: the answer has no id")
        return self._registration(answer, subscription_id)

    def _prolonged(self, client: ProviderClient, row: Row) -> Registration:
        method, name = "PATCH /subscriptions/{id}", row["resource_id"]
        try:
            return self._registration(self._asked(client, method, {}, id=name), name)
        except Permanent as error:
            # A new one may be made where the old one cannot be prolonged.
            raise Gone(str(error)) from error

    def _asked(
        self, client: ProviderClient, method: str, wanted: Row, **params: str
    ) -> dict[str, Any]:
        """Ask for the life that is set, or for as much as Microsoft says that it gives."""
        try:
            return client.call(method, body=wanted | self._end(), **params)
        except Permanent as error:
            if not (said := _TOO_LONG.search(str(error))):
                raise
            log.info("subscriptions live for less", extra={"minutes": said[1]})
            redis_client().set(CEILING, said[1], ex=_CEILING_KEPT_SECONDS)
            return client.call(method, body=wanted | self._end(), **params)

    def _end(self) -> Row:
        end = datetime.now(UTC) + timedelta(minutes=self._minutes())
        return {"expirationDateTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _minutes(self) -> float:
        known: Any = redis_client().get(CEILING)
        # A little less than the most: its clock may be behind ours.
        most = float(known) - 1 if known else _DOCUMENTED_MINUTES
        return min(settings().microsoft_subscription_hours * 60, most)

    def _registration(self, answer: Row, subscription_id: str) -> Registration:
        try:
            expires_at = datetime.fromisoformat(answer["expirationDateTime"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            expires_at = datetime.now(UTC) + timedelta(hours=1)
        details = {
            "resource": RESOURCE,
            "change_type": CHANGES,
            "lifecycle_target": self.target(),
        }
        return Registration(expires_at, resource_id=subscription_id, details=details)

    def _clear(self, client: ProviderClient, row: Row) -> bool:
        """Delete what else watches this mailbox for us; return whether there was anything.

        Raises Permanent if that is another user of ours, who has the same mailbox.
        """
        try:
            found = client.call("GET /subscriptions").get("value", [])
        except HeadraceError:  # the first refusal says more
            return False
        ours = [one for one in found if _is_of_mailbox(one) and one["id"] != row.get("resource_id")]
        for one in ours:
            self._check_is_no_others(one["id"], row)
            client.call("DELETE /subscriptions/{id}", id=one["id"])
        return bool(ours)

    def _check_is_no_others(self, subscription_id: str, row: Row) -> None:
        wanted: Row = {
            "provider": self.provider,
            "resource_id": subscription_id,
            "status": "active",
            "user_id": {"$ne": row["user_id"]},
        }
        if collection(Subscription).find_one(wanted, {"_id": 1}) is not None:
            raise Permanent("another user has connected this mailbox, and is told of its changes")


def _is_of_mailbox(subscription: Row) -> bool:
    resource = str(subscription.get("resource", "")).strip("/").lower()
    app_id = subscription.get("applicationId") or settings().microsoft_client_id
    return (
        resource.endswith("messages")
        and "mailfolders" not in resource
        and app_id == settings().microsoft_client_id
        and bool(subscription.get("id"))
    )
