"""Batches, as the client library sends and reads them."""

from __future__ import annotations

import time
from http.client import IncompleteRead

import pytest
from google_client import reason
from googleapiclient.errors import HttpError


def add_gets(batch, google, ids):
    for message_id in ids:
        request = google.gmail.messages().get(userId="me", id=message_id, format="metadata")
        batch.add(request, message_id)


def message_ids(google, count: int) -> list[str]:
    answer = google.gmail.messages().list(userId="me", maxResults=count).execute()
    return [item["id"] for item in answer["messages"]]


def test_a_batch_answers_every_part_by_its_id(new_user, sign_in):
    google = sign_in(new_user(messages=20))
    ids = message_ids(google, 10)
    batch = google.batch()
    add_gets(batch, google, [*ids, "missing"])
    batch.execute()
    assert {key: answer["id"] for key, answer in batch.answers.items()} == {i: i for i in ids}
    assert {key: error.status_code for key, error in batch.errors.items()} == {"missing": 404}


def test_a_batch_reaches_every_api_on_the_common_path(new_user, sign_in):
    google = sign_in(new_user(messages=1, events=3))
    batch = google.batch("/batch")
    batch.add(google.gmail.getProfile(userId="me"), "profile")
    batch.add(google.calendar.events().list(calendarId="primary"), "events")
    batch.add(google.tasks.tasklists().list(), "lists")
    batch.execute()
    assert set(batch.answers) == {"profile", "events", "lists"}
    assert len(batch.answers["events"]["items"]) == 3


@pytest.mark.parametrize(
    ("path", "most"), [("/batch/gmail/v1", 100), ("/batch", 100), ("/batch/calendar/v3", 50)]
)
def test_a_batch_has_a_cap(new_user, sign_in, path, most):
    google = sign_in(new_user())
    batch = google.batch(path)
    for number in range(most + 1):
        batch.add(google.gmail.getProfile(userId="me"), str(number))
    with pytest.raises(HttpError, match="Inner request count exceeds the limit") as refused:
        batch.execute()
    assert refused.value.status_code == 400
    assert f"Received: {most + 1}, Limit: {most}" in refused.value.reason


def test_more_parts_than_gmail_runs_at_once_are_refused_inside(sandbox, new_user, sign_in):
    google = sign_in(new_user(messages=40))
    ids = message_ids(google, 40)
    sandbox.settings(quotas_enabled=True)
    batch = google.batch()
    add_gets(batch, google, ids)
    batch.execute()
    assert len(batch.answers) == 25
    assert {error.status_code for error in batch.errors.values()} == {429}
    assert {reason(error) for error in batch.errors.values()} == {"rateLimitExceeded"}


def test_every_part_costs_its_units(sandbox, new_user, sign_in):
    google = sign_in(new_user(messages=5))
    ids = message_ids(google, 5)
    sandbox.clear_usage()
    batch = google.batch()
    add_gets(batch, google, ids)
    batch.execute()
    gets = next(row for row in sandbox.usage() if row["method"] == "users.messages.get")
    assert (gets["calls"], gets["units"]) == (5, 100)


# The library opens a connection for this refresh and never closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_expired_token_inside_a_batch_is_refreshed_and_sent_again(sandbox, new_user, sign_in):
    user = new_user(messages=3)
    google = sign_in(user)
    ids = message_ids(google, 3)
    sandbox.tokens(user, "expire")
    batch = google.batch()
    add_gets(batch, google, ids)
    batch.execute()
    assert set(batch.answers) == set(ids)


def test_a_fault_can_strike_single_parts(sandbox, new_user, sign_in):
    google = sign_in(new_user(messages=3))
    ids = message_ids(google, 3)
    match = {"method": "users.messages.get"}
    sandbox.fault("status", match=match, times=2, params={"code": 429, "retry_after": 7})
    batch = google.batch()
    add_gets(batch, google, ids)
    batch.execute()
    assert len(batch.answers) == 1
    assert [error.resp["retry-after"] for error in batch.errors.values()] == ["7", "7"]


def test_a_part_whose_connection_breaks_breaks_the_batch(sandbox, new_user, sign_in):
    google = sign_in(new_user(messages=3))
    ids = message_ids(google, 3)
    batch = google.batch()
    add_gets(batch, google, ids)
    sandbox.fault("drop", match={"method": "users.messages.get"})
    with pytest.raises(IncompleteRead):
        batch.execute()


def test_a_batch_is_as_slow_as_its_slowest_part(sandbox, new_user, sign_in):
    google = sign_in(new_user(messages=3))
    ids = message_ids(google, 3)
    batch = google.batch()
    add_gets(batch, google, ids)
    sandbox.fault("slow", match={"method": "users.messages.get"}, params={"seconds": 0.2})
    started = time.monotonic()
    batch.execute()
    assert time.monotonic() - started >= 0.2
    assert set(batch.answers) == set(ids)


def test_something_else_than_a_batch_is_refused(new_user, sign_in):
    google = sign_in(new_user())
    google.refresh()
    response, _ = google._http.request(
        f"{google.base_url}/batch", method="POST", body="hello", headers={"content-type": "a/b"}
    )
    assert response.status == 400
