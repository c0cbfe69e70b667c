"""Every method's answers over a generated, changed population fit Google's own schemas."""

from __future__ import annotations

import base64
import email
import email.policy

import pytest
from google_client import CHECKED, Google, pages
from replica import PERSON_FIELDS

from pipeline.sandbox import calendar, gmail, people, tasks
from pipeline.sandbox.push import calendar as calendar_push
from pipeline.sandbox.push import gmail as gmail_push

METHODS = (
    *(*calendar.METHODS, *gmail.METHODS, *people.METHODS, *tasks.METHODS),
    *(*calendar_push.METHODS, *gmail_push.METHODS),
)
MAIL = "https://mail.google.com/"


@pytest.fixture(scope="module")
def population(sandbox_base_url):
    from pipeline.sandbox.client import SandboxClient

    sandbox = SandboxClient(sandbox_base_url)
    sandbox.settings(quotas_enabled=False)
    users = [user["user"] for user in sandbox.add_users(4, seed=11, prefix="real")]
    sandbox.mutate(11, 300, users)
    yield [(sandbox, user) for user in users]
    for user in users:
        sandbox.delete_user(user)
    sandbox.close()


def opened(population) -> list[Google]:
    scopes = [
        MAIL,
        *(
            f"https://www.googleapis.com/auth/{name}.readonly"
            for name in ("calendar", "contacts", "tasks")
        ),
    ]
    return [
        Google(sandbox.base_url, sandbox.authorized_user(user, scopes))
        for sandbox, user in population
    ]


def test_calendars_and_events_conform(population):
    for google in opened(population):
        service = google.calendar
        for page in pages(service.calendarList().list, showHidden=True, showDeleted=True):
            for entry in page["items"]:
                if not entry.get("deleted"):
                    _read_calendar(service, entry["id"])
        google.close()


def _read_calendar(service, calendar_id: str) -> None:
    service.calendarList().get(calendarId=calendar_id).execute()
    service.calendars().get(calendarId=calendar_id).execute()
    found = pages(service.events().list, calendarId=calendar_id, showDeleted=True, maxResults=500)
    for item in found[0]["items"][:5]:
        service.events().get(calendarId=calendar_id, eventId=item["id"]).execute()


def test_mail_conforms(population):
    for google in opened(population):
        users = google.gmail
        start = int(users.getProfile(userId="me").execute()["historyId"])
        found = pages(users.messages().list, userId="me", includeSpamTrash=True)
        ids = [item["id"] for page in found for item in page.get("messages", [])]
        for message_id in ids[:15]:
            for wanted in ("full", "metadata", "minimal"):
                users.messages().get(userId="me", id=message_id, format=wanted).execute()
            _check_raw(users.messages(), message_id)
        for page in pages(users.threads().list, userId="me", maxResults=20):
            for thread in page.get("threads", [])[:5]:
                users.threads().get(userId="me", id=thread["id"]).execute()
        for label in users.labels().list(userId="me").execute()["labels"]:
            users.labels().get(userId="me", id=label["id"]).execute()
        _change(users, ids[:1])
        pages(users.history().list, userId="me", startHistoryId=str(start))
        google.close()


def _check_raw(messages, message_id: str) -> None:
    """The raw form parses back to the same subject and the same leaves."""
    full = messages.get(userId="me", id=message_id).execute()["payload"]
    raw = messages.get(userId="me", id=message_id, format="raw").execute()["raw"]
    parsed = email.message_from_bytes(base64.urlsafe_b64decode(raw), policy=email.policy.compat32)
    leaves = [part for part in parsed.walk() if not part.is_multipart()]
    assert len(leaves) == _leaves(full)


def _leaves(part) -> int:
    return sum(_leaves(inner) for inner in part["parts"]) if part.get("parts") else 1


def _change(users, ids: list[str]) -> None:
    for message_id in ids:
        body = {"addLabelIds": ["STARRED"], "removeLabelIds": ["INBOX"]}
        users.messages().modify(userId="me", id=message_id, body=body).execute()
        users.messages().trash(userId="me", id=message_id).execute()
        users.messages().untrash(userId="me", id=message_id).execute()
        users.messages().delete(userId="me", id=message_id).execute()


def test_contacts_conform(population):
    for google in opened(population):
        params = {"personFields": PERSON_FIELDS, "requestSyncToken": True}
        listing = google.people.connections().list
        found = pages(listing, resourceName="people/me", **params)
        pages(listing, resourceName="people/me", syncToken=found[-1]["nextSyncToken"], **params)
        names = [someone["resourceName"] for someone in found[0].get("connections", [])[:3]]
        for name in [*names, "people/me"]:
            google.people.get(resourceName=name, personFields="names,metadata").execute()
        wanted = [*names, "people/c404"]
        google.people.getBatchGet(resourceNames=wanted, personFields="names").execute()
        google.close()


def test_tasks_conform(population):
    for google in opened(population):
        for page in pages(google.tasks.tasklists().list):
            for entry in page["items"]:
                google.tasks.tasklists().get(tasklist=entry["id"]).execute()
                listing = google.tasks.tasks().list
                flags = {"showDeleted": True, "showHidden": True, "showAssigned": True}
                found = pages(listing, tasklist=entry["id"], maxResults=100, **flags)
                for task in found[0]["items"][:3]:
                    google.tasks.tasks().get(tasklist=entry["id"], task=task["id"]).execute()
        google.close()


def test_watches_conform(population, receiver):
    sandbox, _ = population[0]
    topic = "projects/headrace-sandbox/topics/gmail"
    sandbox.topic(topic, f"{receiver.url}/gmail")
    for number, google in enumerate(opened(population)):
        service = google.calendar
        body = {"type": "web_hook", "address": f"{receiver.url}/calendar", "token": "secret"}
        events = service.events().watch(calendarId="primary", body=body | {"id": f"e{number}"})
        entries = service.calendarList().watch(body=body | {"id": f"l{number}"})
        for made in (events.execute(), entries.execute()):
            stop = {"id": made["id"], "resourceId": made["resourceId"]}
            service.channels().stop(body=stop).execute()
        google.gmail.watch(userId="me", body={"topicName": topic}).execute()
        google.gmail.stop(userId="me").execute()
        google.close()


def test_every_method_of_the_sandbox_has_been_checked():
    assert {f"{method.api}.{method.name}" for method in METHODS} <= CHECKED
