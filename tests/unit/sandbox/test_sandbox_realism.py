"""Invented data is as odd as real data, and its parts fit together."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

import pytest

from pipeline.sandbox.generate import Seeded, Size, build_user

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
EMAIL = "ada.lovelace@users.example"
LARGE = Size(calendars=7, events=4000, messages=1200, contacts=1500, task_lists=4, tasks=600)


@pytest.fixture(scope="module")
def large() -> list[Seeded]:
    return list(build_user(1, "ada", EMAIL, LARGE, NOW))


def items_of(seeded: Iterable[Seeded], stream: str) -> list[dict[str, Any]]:
    return [one.item for one in seeded if one.stream.partition("/")[0] == stream]


def age_days(event: dict[str, Any]) -> float:
    start = event.get("start", {})
    moment = datetime.fromisoformat(start.get("dateTime") or f"{start['date']}T00:00:00Z")
    return (NOW - moment) / timedelta(days=1)


EVENT_ODDITIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "all-day": lambda event: "date" in event.get("start", {}),
    "no title": lambda event: "creator" in event and "summary" not in event,
    "title beyond ASCII": lambda event: not event.get("summary", "").isascii(),
    "endless": lambda event: event.get("recurrence", [""])[0].count("=") == 2,
    "until": lambda event: "UNTIL" in str(event.get("recurrence")),
    "counted": lambda event: "COUNT" in str(event.get("recurrence")),
    "excluded day": lambda event: "EXDATE" in str(event.get("recurrence")),
    "cancelled occurrence": lambda event: event["status"] == "cancelled" and len(event) == 4,
    "moved occurrence": lambda event: "recurringEventId" in event and "summary" in event,
    "ended long ago": lambda event: "recurrence" in event and age_days(event) > 600,
    "older than 90 days": lambda event: "start" in event and age_days(event) > 90,
    "tentative": lambda event: event["status"] == "tentative",
    "private": lambda event: event.get("visibility") == "private",
    "conference": lambda event: "conferenceData" in event,
    "dotted key": lambda event: "com.example.crm.dealId" in str(event.get("extendedProperties")),
    "crowd": lambda event: len(event.get("attendees", ())) > 15,
    "room": lambda event: any(guest.get("resource") for guest in event.get("attendees", ())),
    "optional guest": lambda event: any(one.get("optional") for one in event.get("attendees", ())),
    "nameless guest": lambda event: any(
        "displayName" not in guest for guest in event.get("attendees", ())
    ),
    "no details": lambda event: "creator" not in event and event["status"] == "confirmed",
    "own reminders": lambda event: "overrides" in event.get("reminders", {}),
    **{
        name: lambda event, name=name: event.get("eventType") == name
        for name in ("outOfOffice", "focusTime", "workingLocation", "birthday", "fromGmail")
    },
}


@pytest.mark.parametrize("oddity", EVENT_ODDITIES)
def test_calendars_hold_events_of_every_odd_kind(large: list[Seeded], oddity: str) -> None:
    assert any(map(EVENT_ODDITIES[oddity], items_of(large, "events")))


def test_calendars_differ_in_role_zone_and_name(large: list[Seeded]) -> None:
    entries = items_of(large, "calendars")
    assert {"owner", "reader", "freeBusyReader"} <= {entry["accessRole"] for entry in entries}
    assert sum(entry.get("primary", False) for entry in entries) == 1
    assert len({entry["timeZone"] for entry in entries}) > 2
    assert any("#" in entry["id"] for entry in entries)


def test_the_user_stands_at_most_once_among_the_attendees(large: list[Seeded]) -> None:
    for event in items_of(large, "events"):
        attendees = event.get("attendees", [])
        assert len(attendees) <= 50
        assert len({guest["email"] for guest in attendees}) == len(attendees)
        assert sum(guest.get("self", False) for guest in attendees) <= 1
        assert sum(guest.get("organizer", False) for guest in attendees) == bool(attendees)


def headers_of(message: dict[str, Any]) -> dict[str, str]:
    return {header["name"]: header["value"] for header in message["payload"]["headers"]}


def parts_of(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield part
    for child in part.get("parts", ()):
        yield from parts_of(child)


MAIL_ODDITIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "encoded name": lambda mail: "=?UTF-8?B?" in headers_of(mail)["From"],
    "quoted comma": lambda mail: re.search(r'"[^"]+, [^"]+"', headers_of(mail)["From"]),
    "group": lambda mail: "Team: " in headers_of(mail)["To"],
    "several recipients": lambda mail: len(getaddresses([headers_of(mail)["To"]])) > 2,
    "bare address": lambda mail: "<" not in headers_of(mail)["From"],
    "copy": lambda mail: "Cc" in headers_of(mail),
    "blind copy": lambda mail: "Bcc" in headers_of(mail),
    "newsletter": lambda mail: "List-Unsubscribe" in headers_of(mail),
    "no subject": lambda mail: "Subject" not in headers_of(mail),
    "lower-case id header": lambda mail: "Message-Id" in headers_of(mail),
    "attachment": lambda mail: any(
        "attachmentId" in part["body"] for part in parts_of(mail["payload"])
    ),
    "only HTML": lambda mail: mail["payload"]["mimeType"] == "text/html",
    **{
        label: lambda mail, label=label: label in mail["labelIds"]
        for label in ("INBOX", "SENT", "UNREAD", "STARRED", "IMPORTANT", "SPAM", "TRASH", "Label_3")
    },
    "no label but a category": lambda mail: len(mail["labelIds"]) == 1,
}


@pytest.mark.parametrize("oddity", MAIL_ODDITIES)
def test_mailboxes_hold_mail_of_every_odd_kind(large: list[Seeded], oddity: str) -> None:
    assert any(map(MAIL_ODDITIES[oddity], items_of(large, "messages")))


def test_dates_and_addresses_of_mail_can_be_read(large: list[Seeded]) -> None:
    for mail in items_of(large, "messages"):
        headers = headers_of(mail)
        sent_at = datetime.fromtimestamp(int(mail["internalDate"]) / 1000, UTC)
        assert abs(parsedate_to_datetime(headers["Date"]) - sent_at) < timedelta(seconds=1)
        assert NOW - timedelta(days=200) <= sent_at < NOW
        assert [address.count("@") for _, address in getaddresses([headers["From"]])] == [1]
        assert all("@" in address for _, address in getaddresses([headers["To"]]))


def test_mail_is_newest_biased(large: list[Seeded]) -> None:
    sent = sorted(int(mail["internalDate"]) for mail in items_of(large, "messages"))
    median_age = NOW - datetime.fromtimestamp(sent[len(sent) // 2] / 1000, UTC)
    assert median_age < timedelta(days=70)


def test_replies_refer_to_the_earlier_messages_of_their_thread(large: list[Seeded]) -> None:
    threads: dict[str, list[str]] = {}
    for mail in items_of(large, "messages"):
        headers = headers_of(mail)
        earlier = threads.setdefault(mail["threadId"], [])
        assert headers.get("References", "").split() == earlier
        earlier.append(headers.get("Message-ID") or headers["Message-Id"])
    assert {1, 2, 5} <= {len(thread) for thread in threads.values()}
    assert max(map(len, threads.values())) <= 12


def test_bodies_are_as_long_as_they_say(large: list[Seeded]) -> None:
    for mail in items_of(large, "messages"):
        for part in parts_of(mail["payload"]):
            if "data" in part["body"]:
                content = base64.urlsafe_b64decode(part["body"]["data"])
                assert len(content) == part["body"]["size"]
                assert content.decode()


CONTACT_ODDITIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no name": lambda person: "names" not in person and person["emailAddresses"],
    "no address": lambda person: "emailAddresses" not in person,
    "several addresses": lambda person: len(person.get("emailAddresses", ())) == 3,
    "several numbers": lambda person: len(person.get("phoneNumbers", ())) == 2,
    "two names": lambda person: len(person.get("names", ())) == 2,
    "no birth year": lambda person: any(
        "year" not in day["date"] for day in person.get("birthdays", ())
    ),
    "former employer": lambda person: len(person.get("organizations", ())) == 2,
    "further group": lambda person: len(person["memberships"]) == 2,
    "real photo": lambda person: not person["photos"][0].get("default"),
}


@pytest.mark.parametrize("oddity", CONTACT_ODDITIES)
def test_address_books_hold_contacts_of_every_odd_kind(large: list[Seeded], oddity: str) -> None:
    assert any(map(CONTACT_ODDITIES[oddity], items_of(large, "connections")))


def test_one_name_of_a_contact_is_primary_wherever_it_stands(large: list[Seeded]) -> None:
    for person in items_of(large, "connections"):
        marks = [name["metadata"].get("primary", False) for name in person.get("names", ())]
        assert sum(marks) == bool(marks)


TASK_ODDITIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "subtask": lambda task: "parent" in task,
    "hidden": lambda task: task.get("hidden") and task["status"] == "completed",
    "assigned": lambda task: "assignmentInfo" in task and "notes" not in task,
    "no title": lambda task: task["title"] == "",
    "notes": lambda task: "notes" in task,
    "link": lambda task: "links" in task,
    "due": lambda task: task.get("due", "").endswith("T00:00:00.000Z"),
}


@pytest.mark.parametrize("oddity", TASK_ODDITIES)
def test_task_lists_hold_tasks_of_every_odd_kind(large: list[Seeded], oddity: str) -> None:
    assert any(map(TASK_ODDITIES[oddity], items_of(large, "tasks")))


def test_subtasks_have_top_level_parents(large: list[Seeded]) -> None:
    parents = {task["id"]: task.get("parent") for task in items_of(large, "tasks")}
    assert all(parents[parent] is None for parent in parents.values() if parent is not None)


def addresses_in(seeded: Iterable[Seeded], stream: str) -> set[str]:
    text = json.dumps(items_of(seeded, stream))
    return set(re.findall(r"[a-z0-9.]+@[a-z0-9-]+\.example", text)) - {EMAIL}


def test_people_meet_write_and_are_contacts(large: list[Seeded]) -> None:
    contacts = addresses_in(large, "connections")
    assert len(addresses_in(large, "events") & contacts) > 50
    assert len(addresses_in(large, "messages") & contacts) > 50


def test_users_of_one_seed_know_some_of_the_same_people() -> None:
    size = Size(0, 0, 0, 90, 0, 0)
    ada = addresses_in(build_user(1, "ada", EMAIL, size, NOW), "connections")
    bob = addresses_in(build_user(1, "bob", EMAIL, size, NOW), "connections")
    assert 0 < len(ada & bob) < len(ada)
