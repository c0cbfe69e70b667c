"""Where providers push: received, verified, stored, answered; a job does the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from pipeline.push import google_calendar, google_gmail, microsoft_mail
from pipeline.web.webhooks import calendar, gmail, microsoft, sendgrid, twilio
from pipeline.web.webhooks.answers import endpoint
from pipeline.web.webhooks.intake import intake
from pipeline.web.webhooks.outreach_intake import outreach_intake

routes: list[BaseRoute] = [
    Route(
        google_calendar.PATH,
        endpoint("google", "google_calendar", calendar.take_in),
        methods=["POST"],
    ),
    Route(google_gmail.PATH, endpoint("google", "google_gmail", gmail.take_in), methods=["POST"]),
    Route(
        microsoft_mail.PATH,
        endpoint("microsoft", "microsoft_mail", microsoft.take_in),
        methods=["POST"],
    ),
    Route(sendgrid.PATH, endpoint("sendgrid", "events", sendgrid.take_in), methods=["POST"]),
    Route(twilio.STATUS_PATH, endpoint("twilio", "status", twilio.status), methods=["POST"]),
    Route(twilio.INBOUND_PATH, endpoint("twilio", "inbound", twilio.inbound), methods=["POST"]),
]


@asynccontextmanager
async def lifespan(_app: Starlette | None = None) -> AsyncIterator[None]:
    """Keep what was taken in, and send its jobs, before the process ends."""
    yield
    await intake().drain()
    await outreach_intake().drain()


__all__ = ["lifespan", "routes"]
