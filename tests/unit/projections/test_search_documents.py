"""What of an item can be found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_items import mail_item

from models.record import record_id
from pipeline.projections.search.documents import (
    BODY_CHARACTERS,
    KINDS,
    Owner,
    SearchDocument,
    change_of,
    document_of,
    fields_of,
    plain,
)
from pipeline.sources import SOURCES

STREAMS = {
    "google_calendar": "events/c1",
    "google_gmail": "messages",
    "google_contacts": "connections",
    "google_tasks": "tasks/l1",
    "microsoft_mail": "messages/f1",
}
OWNER = Owner("acme", datetime(2026, 1, 1, tzinfo=UTC))


def made(source: str, **item: Any) -> SearchDocument:
    document = document_of("acme", "ada", source, STREAMS[source], "i1", {"id": "i1", **item})
    assert document is not None
    assert (document.tenant_id, document.user_id, document.item_id) == ("acme", "ada", "i1")
    return document


def test_an_event_is_found_by_its_text_place_and_guests() -> None:
    document = made(
        "google_calendar",
        summary="Stand-up",
        description="<p>Bring <b>numbers</b> &amp; tea</p>",
        location="Room 5",
        start={"dateTime": "2026-03-01T10:00:00+01:00"},
        attendees=[{"email": "Zoe@X.de", "displayName": "Zoë"}, {"email": "bob@x.de"}],
        organizer={"email": "zoe@x.de"},
    )
    assert (document.kind, document.title) == ("event", "Stand-up")
    assert document.body.split() == ["Room", "5", "Bring", "numbers", "&", "tea"]
    assert set(document.people) == {"Zoë", "zoe@x.de", "bob@x.de"}
    assert document.at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_mail_is_found_by_subject_beginning_and_people() -> None:
    headers = {"Subject": "Lunch?", "From": "Zoë <zoe@x.de>", "To": "ada@x.de"}
    document = made(
        "google_gmail",
        threadId="t1",
        snippet="Shall we &lt;eat&gt;",
        internalDate="1772357400000",
        payload={"headers": [{"name": name, "value": value} for name, value in headers.items()]},
    )
    assert (document.kind, document.title, document.thread) == ("mail", "Lunch?", "t1")
    assert {"Zoë", "zoe@x.de", "ada@x.de"} == set(document.people)
    assert document.at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    at_microsoft = made("microsoft_mail", **mail_item("i1"))
    assert (at_microsoft.kind, at_microsoft.title) == ("mail", "Your invoice 4711")
    assert at_microsoft.body == "Please pay 12 EUR"
    assert at_microsoft.thread == "c-i1"
    assert set(at_microsoft.people) == {"Bob", "bob@shop.example"}


def test_a_contact_and_a_task_are_found() -> None:
    contact = made(
        "google_contacts",
        names=[{"displayName": "Zoë Ångström", "metadata": {"primary": True}}],
        emailAddresses=[{"value": "zoe@x.de"}],
        organizations=[{"name": "Globex"}],
        biographies=[{"value": "likes tea"}],
        phoneNumbers=[{"value": "+49 30 1"}],
    )
    assert (contact.kind, contact.title) == ("contact", "Zoë Ångström")
    assert all(part in contact.body for part in ("likes tea", "+49 30 1"))
    assert {"Zoë Ångström", "zoe@x.de"} == set(contact.people)
    task = made("google_tasks", title="Pay", notes="the rent", due="2026-03-01T00:00:00.000Z")
    assert (task.kind, task.title, task.body) == ("task", "Pay", "the rent")
    assert task.at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "stream"),
    [
        ("google_calendar", "calendars"),
        ("google_tasks", "task_lists"),
        ("microsoft_mail", "folders"),
        ("microsoft_mail", "messages/"),
        ("elsewhere", "messages"),
    ],
)
def test_calendars_lists_and_folders_are_no_documents(source: str, stream: str) -> None:
    assert document_of("acme", "ada", source, stream, "i1", {"id": "i1"}) is None


def test_every_source_has_documents_that_read_what_they_need() -> None:
    assert set(STREAMS) == set(SOURCES)
    assert {made(source).kind for source in SOURCES} == set(KINDS)
    assert all(fields_of(source)["seq"] for source in SOURCES)
    assert "item.description" in fields_of("google_calendar")
    assert fields_of("elsewhere") == {}


def test_a_document_has_the_id_of_its_record_whatever_folder_it_is_in() -> None:
    one, other = (
        document_of("acme", "ada", "microsoft_mail", stream, "i1", {})
        for stream in ("messages/f1", "messages/f2")
    )
    assert one is not None
    assert other is not None
    assert one.id == other.id == record_id("ada", "microsoft_mail", "messages", "i1").hex()
    assert one.content_hash != other.content_hash
    event = made("google_calendar")
    assert event.id == record_id("ada", "google_calendar", "events/c1", "i1").hex()


def record(**fields: Any) -> dict[str, Any]:
    where = ("ada", "google_calendar", "events/c1", "i1")
    names = ("user_id", "source", "stream", "item_id")
    row: dict[str, Any] = dict(zip(names, where, strict=True))
    return row | {"_id": record_id(*where), "seq": 7, "item": {"id": "i1"}} | fields


def test_a_record_is_a_change_and_a_deleted_one_a_deletion() -> None:
    change = change_of(record(), OWNER)
    assert change is not None
    assert change.document is not None
    assert change.id == change.document.id
    assert change.document.tenant_id == "acme"
    gone = change_of(record(deleted_at=OWNER.created_at, item={}), OWNER)
    assert gone == change._replace(document=None)
    assert change_of(record(stream="calendars"), OWNER) is None


def test_a_user_who_comes_back_is_newer_than_before() -> None:
    again = Owner("acme", OWNER.created_at + timedelta(seconds=1))
    assert OWNER.version(1) < OWNER.version(2) < OWNER.version(2**32 - 1) < again.version(1)
    late = Owner("acme", datetime(2087, 1, 1, tzinfo=UTC))
    assert late.version(2**32 - 1) < 2**63
    assert Owner("acme", datetime(1999, 1, 1, tzinfo=UTC)).version(3) == 3


def test_texts_are_cut_and_without_tags() -> None:
    assert plain("a < b and c > d", 100) == "a < b and c > d"
    assert plain("<a href='x'>Zoë</a>&nbsp;!", 100).split() == ["Zoë", "!"]
    assert len(made("google_tasks", notes="x" * 50_000).body) == BODY_CHARACTERS
    assert plain(5, 10) == plain(None, 10) == ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = sorted(
    {name[5:].split(".")[0] for source in SOURCES for name in fields_of(source) if "item." in name}
)


@given(st.sampled_from(sorted(SOURCES)), st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_whatever_a_provider_sends_is_a_document_that_stores_can_take(
    source: str, item: dict[str, Any]
) -> None:
    document = document_of("acme", "ada", source, STREAMS[source], "i1", item)
    assert document is not None
    assert len(document.body) <= BODY_CHARACTERS
    row = document.as_row()
    for text in (row["title"], row["body"], row["line"], *row["people"]):
        assert "\x00" not in text
        text.encode()
