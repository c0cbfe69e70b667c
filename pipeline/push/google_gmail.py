"""Gmail: one watch per mailbox, which publishes to a Pub/Sub topic of ours.

https://developers.google.com/workspace/gmail/api/guides/push
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from models import Subscription
from pipeline.clients.keyring import Keyring
from pipeline.config import settings
from pipeline.errors import NotPushed, Permanent, Transient
from pipeline.push.registration import Kind, Registration, moment_of, why_no_address
from pipeline.sources import source_named
from pipeline.sources.base import ProviderClient
from pipeline.stores import Row, collection

log = logging.getLogger(__name__)

PATH = "/webhooks/google/gmail"
_DAY_SECONDS = 86_400.0


class GmailWatch(Kind):
    """A watch ends after a week; asked again, which Google wants daily, it goes on."""

    source = "google_gmail"
    provider = "google"
    in_place = True
    renew_seconds = _DAY_SECONDS

    def why_not(self) -> str:
        """Return which setting is missing."""
        if not settings().google_pubsub_topic:
            return "GOOGLE_PUBSUB_TOPIC is not set, so Gmail has no topic to publish to"
        if not settings().google_pubsub_service_account:
            return (
                "GOOGLE_PUBSUB_SERVICE_ACCOUNT is not set, so no push could be told from a forgery"
            )
        return why_no_address("Google", settings().google_api_base_url)

    def target(self) -> str:
        """Return the topic."""
        return settings().google_pubsub_topic

    def streams(self, state: Row) -> list[str]:  # noqa: ARG002
        """Return the one of the whole mailbox."""
        return [source_named(self.source).root_stream]

    def register(self, client: ProviderClient, row: Row, token: str) -> Registration:  # noqa: ARG002
        """Begin the watch of the mailbox, or prolong it.

        Pub/Sub proves who it is by itself, so `token` goes nowhere.
        """
        address = client.call("gmail.users.getProfile", userId="me").get("emailAddress")
        if not isinstance(address, str):
            raise Transient("gmail.users.getProfile: the answer has no address")
        watch = {"topicName": self.target()}
        try:
            answer = client.call("gmail.users.watch", userId="me", body=watch)
        except NotPushed:
            raise
        except Permanent:
            if row["error_count"]:
                raise
            # An earlier watch, for another topic, is in the way: "call /stop then try again".
            log.info("watch refused; stopped and asked again", extra={"source": self.source})
            client.call("gmail.users.stop", userId="me")
            answer = client.call("gmail.users.watch", userId="me", body=watch)
        return Registration(moment_of(answer), route=routes(address)[0])

    def stop(self, client: ProviderClient, row: Row) -> None:
        """End the watch, unless the mailbox is another user's too: they share it."""
        shared = {"provider": self.provider, "route": row.get("route"), "status": "active"}
        if collection(Subscription).find_one({**shared, "_id": {"$ne": row["_id"]}}, {"_id": 1}):
            return
        client.call("gmail.users.stop", userId="me")


def routes(address: str) -> list[bytes]:
    """Return what stands for the mailbox `address`: under the newest key, then under older ones.

    Keyed, so that who has only the database cannot try addresses.
    """
    known = address.lower().encode("utf-8", "surrogatepass")
    return [
        hmac.new(secret, known, hashlib.sha256).digest()
        for secret in Keyring.from_settings().derived("mailbox-route")
    ]
