"""Google Calendar: a watch channel for the list of calendars, and one for each calendar.

https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

from typing import Any

from pipeline.config import settings
from pipeline.push.registration import Kind, Registration, moment_of, why_no_address
from pipeline.sources import source_named
from pipeline.sources.base import ProviderClient
from pipeline.sources.google.calendar import EVENTS
from pipeline.stores import Row

PATH = "/webhooks/google/calendar"


class CalendarChannels(Kind):
    """Channels end after about a week and cannot be prolonged: a new one takes over."""

    source = "google_calendar"
    provider = "google"
    in_place = False
    renew_seconds = None

    def why_not(self) -> str:
        """Return what is wrong with our address, if anything is."""
        return why_no_address("Google", settings().google_api_base_url)

    def target(self) -> str:
        """Return the address of our webhook."""
        return settings().public_base_url + PATH

    def streams(self, state: Row) -> list[str]:
        """Return the list of calendars, and every calendar that is not on its way out."""
        root = source_named(self.source).root_stream
        streams = (stored for stored in state["streams"].values() if not stored.get("removed"))
        return [root, *sorted(s["name"] for s in streams if s["name"] != root)]

    def register(self, client: ProviderClient, row: Row, token: str) -> Registration:
        """Open the channel that `row` names."""
        channel: dict[str, Any] = {
            "id": row["_id"],
            "type": "web_hook",
            "address": self.target(),
            "token": token,
        }
        stream: str = row["stream"]
        if stream.startswith(EVENTS):
            calendar_id = stream.removeprefix(EVENTS)
            answer = client.call("calendar.events.watch", calendarId=calendar_id, body=channel)
        else:
            answer = client.call("calendar.calendarList.watch", body=channel)
        resource_id = answer.get("resourceId")
        return Registration(
            moment_of(answer), resource_id=resource_id if isinstance(resource_id, str) else None
        )

    def stop(self, client: ProviderClient, row: Row) -> None:
        """Close a channel; impossible until the provider's name of its resource is known."""
        if row.get("resource_id"):
            channel = {"id": row["_id"], "resourceId": row["resource_id"]}
            client.call("calendar.channels.stop", body=channel)
