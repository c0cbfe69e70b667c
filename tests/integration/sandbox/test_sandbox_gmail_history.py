"""Gmail's history: every kind of change, filters, pages, and history ids that are too old."""

from __future__ import annotations

from typing import Any

import pytest
from google_client import pages
from googleapiclient.errors import HttpError
from test_sandbox_gmail import GMAIL, ago, message

KINDS = ("messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved")


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user()
    for name in ("m1", "m2"):
        sandbox.put(user, GMAIL, "messages", name, message(["INBOX", "UNREAD"], name, ago(1)))
    return user


def history_id(google) -> str:
    return google.gmail.getProfile(userId="me").execute()["historyId"]


def history(google, start: str, **params: Any) -> list[dict[str, Any]]:
    found = pages(google.gmail.history().list, userId="me", startHistoryId=start, **params)
    return [record for page in found for record in page.get("history", [])]


def kinds(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (kind, change["message"]["id"])
        for record in records
        for kind in KINDS
        for change in record.get(kind, [])
    ]


def test_every_change_has_its_record(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.put(ada, GMAIL, "messages", "new", message(["INBOX"], "t", ago(0)))
    sandbox.put(ada, GMAIL, "messages", "m1", message(["INBOX", "STARRED"], "m1", ago(1)))
    sandbox.remove(ada, GMAIL, "messages", "m2")
    records = history(google, start)
    assert kinds(records) == [
        ("messagesAdded", "new"),
        ("labelsAdded", "m1"),
        ("labelsRemoved", "m1"),
        ("messagesDeleted", "m2"),
    ]
    ids = [int(record["id"]) for record in records]
    assert ids == sorted(set(ids))
    assert ids[0] > int(start)
    assert records[1]["labelsAdded"][0]["labelIds"] == ["STARRED"]
    assert records[1]["labelsRemoved"][0]["labelIds"] == ["UNREAD"]


def test_no_change_means_no_history_field(ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    answer = google.gmail.history().list(userId="me", startHistoryId=start).execute()
    assert answer == {"historyId": start}


def test_the_answers_history_id_is_the_next_start(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.remove(ada, GMAIL, "messages", "m1")
    answer = google.gmail.history().list(userId="me", startHistoryId=start).execute()
    assert history(google, answer["historyId"]) == []


def test_moving_to_the_trash_is_a_change_of_labels(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.put(ada, GMAIL, "messages", "m1", message(["TRASH"], "m1", ago(1)))
    assert {kind for kind, _ in kinds(history(google, start))} == {"labelsAdded", "labelsRemoved"}


def test_history_can_be_filtered_by_kind_and_label(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.put(ada, GMAIL, "messages", "new", message(["SENT"], "t", ago(0)))
    sandbox.put(ada, GMAIL, "messages", "m1", message(["INBOX"], "m1", ago(1)))
    sandbox.remove(ada, GMAIL, "messages", "m2")
    wanted = ["messageAdded", "messageDeleted"]
    found = kinds(history(google, start, historyTypes=wanted))
    assert found == [("messagesAdded", "new"), ("messagesDeleted", "m2")]
    assert kinds(history(google, start, labelId="SENT")) == [("messagesAdded", "new")]


def test_a_filtered_page_may_be_empty_and_not_the_last(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    for number in range(5):
        sandbox.put(ada, GMAIL, "messages", f"n{number}", message(["INBOX"], "t", ago(0)))
    sandbox.remove(ada, GMAIL, "messages", "n0")
    params = {"userId": "me", "startHistoryId": start, "historyTypes": ["messageDeleted"]}
    found = pages(google.gmail.history().list, **params, maxResults=2)
    assert ["history" in page for page in found] == [False, False, True]


def test_a_start_that_is_too_old_is_answered_with_404(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.expire_cursors(ada, GMAIL)
    for bad in (start, "1", "99999999999"):
        with pytest.raises(HttpError) as refused:
            history(google, bad)
        assert refused.value.status_code == 404
    assert history(google, history_id(google)) == []


def test_the_newest_messages_own_history_id_is_a_good_start(sandbox, ada, sign_in):
    google = sign_in(ada)
    newest = google.gmail.messages().list(userId="me", maxResults=1).execute()["messages"][0]
    start = google.gmail.messages().get(userId="me", id=newest["id"]).execute()["historyId"]
    sandbox.remove(ada, GMAIL, "messages", "m1")
    assert ("messagesDeleted", "m1") in kinds(history(google, start))


def test_a_message_added_and_deleted_at_once_cannot_be_got(sandbox, ada, sign_in):
    google = sign_in(ada)
    start = history_id(google)
    sandbox.put(ada, GMAIL, "messages", "brief", message(["INBOX"], "t", ago(0)))
    sandbox.remove(ada, GMAIL, "messages", "brief")
    assert kinds(history(google, start))[0] == ("messagesAdded", "brief")
    with pytest.raises(HttpError) as refused:
        google.gmail.messages().get(userId="me", id="brief").execute()
    assert refused.value.status_code == 404
