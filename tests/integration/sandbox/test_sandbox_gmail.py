"""Gmail: listings, searches, formats, labels, threads, and what a client may change."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google_client import pages, reason
from googleapiclient.errors import HttpError

GMAIL = "google_gmail"
_METADATA = "https://www.googleapis.com/auth/gmail.metadata"
_MAIL = "https://mail.google.com/"


def message(labels: list[str], thread: str, at: datetime, **headers: str) -> dict[str, Any]:
    named = {"From": "Ada <ada@example.com>", "Subject": "Hello"} | headers
    body = base64.urlsafe_b64encode("Grüße".encode()).decode()
    return {
        "threadId": thread,
        "labelIds": labels,
        "snippet": "Grüße",
        "internalDate": str(int(at.timestamp() * 1000)),
        "payload": {
            "mimeType": "text/plain",
            "filename": "",
            "headers": [{"name": name, "value": value} for name, value in named.items()],
            "body": {"size": 7, "data": body},
        },
    }


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
def ada(sandbox, new_user):
    """A user with four messages in two threads."""
    user = new_user()
    put = {
        "a1": message(["INBOX", "UNREAD"], "ta", ago(1)),
        "a2": message(["INBOX"], "ta", ago(2)),
        "b1": message(["TRASH"], "tb", ago(3)),
        "c1": message([], "tc", ago(40), From="Bob <bob@example.org>"),
    }
    for message_id, item in put.items():
        sandbox.put(user, GMAIL, "messages", message_id, item)
    return user


def listed(google, **params: Any) -> list[str]:
    found = pages(google.gmail.messages().list, userId="me", **params)
    return [item["id"] for page in found for item in page.get("messages", [])]


def test_the_newest_message_comes_first_and_trash_not_at_all(ada, sign_in):
    google = sign_in(ada)
    assert listed(google) == ["a1", "a2", "c1"]
    assert listed(google, includeSpamTrash=True, maxResults=1) == ["a1", "a2", "b1", "c1"]
    assert listed(google, labelIds=["INBOX", "UNREAD"]) == ["a1"]
    assert listed(google, labelIds=["TRASH"]) == ["b1"]


def test_an_empty_listing_has_no_list_at_all(new_user, sign_in):
    answer = sign_in(new_user()).gmail.messages().list(userId="me").execute()
    assert answer == {"resultSizeEstimate": 0}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("newer_than:30d", ["a1", "a2"]),
        ("older_than:30d", ["c1"]),
        # Named, for each test process makes a list of all tests, and the clock moves on.
        pytest.param(f"after:{int(ago(1.5).timestamp())}", ["a1"], id="after a moment"),
        pytest.param(f"before:{ago(20):%Y/%m/%d}", ["c1"], id="before a day"),
        pytest.param(f"after:{ago(20):%Y/%m/%d}", ["a1", "a2"], id="after a day"),
        ("in:trash", ["b1"]),
        ("in:anywhere", ["a1", "a2", "b1", "c1"]),
        ("label:inbox is:unread", ["a1"]),
        ("from:bob@example.org", ["c1"]),
        ('from:"Bob" older_than:1m', ["c1"]),
        ("label:nobody-has-it", []),
    ],
)
def test_a_search_finds_what_it_says(ada, sign_in, query, expected):
    assert listed(sign_in(ada), q=query) == expected


@pytest.mark.parametrize("query", ["subject:hello", "hello", "newer_than:soon", "in:limbo"])
def test_a_search_beyond_the_sandbox_is_refused(ada, sign_in, query):
    with pytest.raises(HttpError) as refused:
        listed(sign_in(ada), q=query)
    assert refused.value.status_code == 400


def test_each_format_shows_its_own_part(ada, sign_in):
    get = sign_in(ada).gmail.messages().get
    minimal = get(userId="me", id="a1", format="minimal").execute()
    metadata = get(userId="me", id="a1", format="metadata").execute()
    full = get(userId="me", id="a1").execute()
    assert "payload" not in minimal
    assert minimal["labelIds"] == ["INBOX", "UNREAD"]
    assert set(metadata["payload"]) == {"mimeType", "headers"}
    assert full["payload"]["body"]["size"] == 7
    raw = get(userId="me", id="a1", format="raw").execute()["raw"]
    parsed = email.message_from_bytes(base64.urlsafe_b64decode(raw), policy=email.policy.default)
    assert parsed["subject"] == "Hello"
    assert "Grüße".encode() in base64.urlsafe_b64decode(raw)


def test_headers_are_chosen_in_any_case(ada, sign_in):
    get = sign_in(ada).gmail.messages().get
    found = get(userId="me", id="a1", format="metadata", metadataHeaders=["SUBJECT", "x-none"])
    assert found.execute()["payload"]["headers"] == [{"name": "Subject", "value": "Hello"}]


def test_a_message_without_labels_has_no_label_field(ada, sign_in):
    assert "labelIds" not in sign_in(ada).gmail.messages().get(userId="me", id="c1").execute()


def test_a_thread_holds_its_messages_oldest_first(ada, sign_in):
    threads = sign_in(ada).gmail.threads()
    found = threads.get(userId="me", id="ta", format="metadata").execute()
    assert [item["id"] for item in found["messages"]] == ["a2", "a1"]
    listing = pages(threads.list, userId="me", maxResults=1)
    assert [thread["id"] for page in listing for thread in page["threads"]] == ["ta", "tc"]


def test_labels_are_counted(ada, sign_in):
    labels = sign_in(ada).gmail.labels()
    known = {label["id"]: label["type"] for label in labels.list(userId="me").execute()["labels"]}
    assert known["INBOX"] == "system"
    assert known["Label_1"] == "user"
    inbox = labels.get(userId="me", id="INBOX").execute()
    assert (inbox["messagesTotal"], inbox["messagesUnread"], inbox["threadsTotal"]) == (2, 1, 1)


def test_the_profile_counts_messages_and_threads(ada, sign_in):
    profile = sign_in(ada).gmail.getProfile(userId="me").execute()
    assert (profile["messagesTotal"], profile["threadsTotal"]) == (4, 3)
    assert profile["emailAddress"] == f"{ada}@sandbox.example"


def test_nobody_opens_the_mailbox_of_another(ada, sign_in):
    with pytest.raises(HttpError, match="Delegation denied"):
        sign_in(ada).gmail.getProfile(userId="bob@example.com").execute()


def test_a_client_relabels_trashes_and_deletes(ada, sign_in):
    messages = sign_in(ada, [_MAIL]).gmail.messages()
    body = {"addLabelIds": ["STARRED", "Label_1"], "removeLabelIds": ["UNREAD"]}
    changed = messages.modify(userId="me", id="a1", body=body).execute()
    assert changed["labelIds"] == ["INBOX", "STARRED", "Label_1"]
    trashed = messages.trash(userId="me", id="a1").execute()
    assert trashed["labelIds"] == ["STARRED", "Label_1", "TRASH"]
    back = messages.untrash(userId="me", id="a1").execute()
    assert back["labelIds"] == ["STARRED", "Label_1"]
    messages.delete(userId="me", id="a1").execute()
    with pytest.raises(HttpError) as refused:
        messages.get(userId="me", id="a1").execute()
    assert refused.value.status_code == 404


def test_an_unknown_label_cannot_be_set(ada, sign_in):
    messages = sign_in(ada, [_MAIL]).gmail.messages()
    with pytest.raises(HttpError, match="Invalid label"):
        messages.modify(userId="me", id="a1", body={"addLabelIds": ["Nope"]}).execute()


def test_reading_does_not_allow_changes(ada, sign_in):
    messages = sign_in(ada).gmail.messages()
    with pytest.raises(HttpError) as refused:
        messages.trash(userId="me", id="a1").execute()
    assert refused.value.status_code == 403
    assert reason(refused.value) == "insufficientPermissions"


def test_the_metadata_scope_hides_bodies_and_searches(ada, sign_in):
    messages = sign_in(ada, [_METADATA]).gmail.messages()
    assert messages.get(userId="me", id="a1", format="metadata").execute()["payload"]
    with pytest.raises(HttpError, match="Metadata scope doesn't allow format FULL"):
        messages.get(userId="me", id="a1").execute()
    with pytest.raises(HttpError, match="Metadata scope does not support 'q' parameter"):
        messages.list(userId="me", q="in:trash").execute()
