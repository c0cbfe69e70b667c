"""Faults: each kind as the real client library meets it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from discovery_shapes import WrongShape
from google_client import pages, reason
from googleapiclient.errors import HttpError

from pipeline.sandbox.client import SandboxError

LIST = {"method": "events.list"}


@pytest.fixture
def ada(new_user):
    return new_user(events=12, messages=5, contacts=5, tasks=5)


def events(google, **params):
    return google.calendar.events().list(calendarId="primary", **params)


def test_a_status_strikes_as_often_as_told(sandbox, ada, sign_in):
    google = sign_in(ada)
    params = {"code": 503, "reason": "backendError"}
    sandbox.fault("status", match=LIST, times=2, params=params)
    for _ in range(2):
        with pytest.raises(HttpError) as refused:
            events(google).execute()
        assert (refused.value.status_code, reason(refused.value)) == (503, "backendError")
    assert events(google).execute()["items"]
    assert [(rule["hits"], rule["left"]) for rule in sandbox.faults()] == [(2, 0)]


@pytest.mark.parametrize("seconds", [None, 17])
def test_a_429_comes_with_and_without_retry_after(sandbox, ada, sign_in, seconds):
    params = {"code": 429} | ({} if seconds is None else {"retry_after": seconds})
    sandbox.fault("status", match={"api": "gmail"}, params=params)
    with pytest.raises(HttpError) as refused:
        sign_in(ada).gmail.getProfile(userId="me").execute()
    assert refused.value.status_code == 429
    assert refused.value.resp.get("retry-after") == (None if seconds is None else str(seconds))


def test_the_libraries_own_retries_get_over_a_5xx(sandbox, ada, sign_in):
    sandbox.fault("status", match=LIST, times=2, params={"code": 500})
    request = events(sign_in(ada))
    request._rand = lambda: 0.0  # the library's own hook: no wait between the attempts
    assert request.execute(num_retries=3)["items"]


def test_a_rule_can_be_for_one_user_or_one_path(sandbox, ada, new_user, sign_in):
    google, other = sign_in(ada), sign_in(new_user(events=1))
    sandbox.fault("status", match={"user": ada, "path": "/calendar/*"}, times=1)
    assert events(other).execute()["items"]
    assert google.tasks.tasklists().list().execute()["items"]
    with pytest.raises(HttpError):
        events(google).execute()


def test_a_probability_is_the_same_for_the_same_seed(sandbox, ada, sign_in):
    google = sign_in(ada)

    def outcomes() -> list[bool]:
        sandbox.clear_faults()
        sandbox.fault("status", match=LIST, probability=0.5, seed=7)
        found = []
        for _ in range(20):
            try:
                events(google, maxResults=1).execute()
                found.append(True)
            except HttpError:
                found.append(False)
        return found

    first = outcomes()
    assert first == outcomes()
    assert set(first) == {True, False}


def test_a_dropped_connection_is_no_answer(sandbox, ada, sign_in):
    google = sign_in(ada)
    for after_bytes in (0, 100, 10**9):
        sandbox.fault("drop", match=LIST, params={"after_bytes": after_bytes})
        with pytest.raises((OSError, Exception), match=r"IncompleteRead|timed out|reset|bytes"):
            events(google).execute()
    assert events(google).execute()["items"]


def test_a_hang_ends_without_an_answer(sandbox, ada, sign_in):
    google = sign_in(ada)
    google.refresh()
    sandbox.fault("hang", match=LIST, params={"seconds": 0.3})
    started = time.monotonic()
    with pytest.raises(Exception, match="IncompleteRead"):
        events(google).execute()
    assert time.monotonic() - started >= 0.3


def test_others_are_served_while_one_hangs(sandbox, ada, sign_in):
    slow, quick = sign_in(ada), sign_in(ada)
    sandbox.fault("slow", match=LIST, params={"seconds": 0.4})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: events(slow).execute())
        while not any(rule["hits"] for rule in sandbox.faults()):
            assert not waiting.done()
        quick.tasks.tasklists().list().execute()
        assert not waiting.done()
        assert waiting.result()["items"]


def test_invalid_json_reaches_the_reader_as_text(sandbox, ada, sign_in):
    """The library hands out what it cannot decode, without any error."""
    calendar = sign_in(ada).service("calendar", checked=False)
    sandbox.fault("invalid_json", match=LIST)
    answer = calendar.events().list(calendarId="primary").execute()
    assert isinstance(answer, str | bytes)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer)


@pytest.mark.parametrize("what", ["wrong_types", "bad_date", "huge_int"])
@pytest.mark.parametrize("mode", ["replace", "add"])
def test_a_malformed_item_violates_its_schema(sandbox, ada, sign_in, what, mode):
    google = sign_in(ada)
    sandbox.fault("malformed_item", match=LIST, params={"what": what, "mode": mode})
    with pytest.raises(WrongShape):
        events(google).execute()
    assert events(google).execute()["items"]


def test_an_item_without_an_id_may_replace_or_join_the_others(sandbox, ada, sign_in):
    calendar = sign_in(ada).service("calendar", checked=False)
    for mode, expected in (("replace", 12), ("add", 13)):
        sandbox.fault("malformed_item", match=LIST, params={"what": "no_id", "mode": mode})
        items = calendar.events().list(calendarId="primary").execute()["items"]
        assert len(items) == expected
        assert "id" not in items[0]


def test_a_single_message_can_be_malformed(sandbox, ada, sign_in):
    gmail = sign_in(ada).service("gmail", checked=False).users().messages()
    entry = gmail.list(userId="me").execute()["messages"][0]
    match = {"method": "users.messages.get"}
    sandbox.fault("malformed_item", match=match, params={"what": "bad_date"})
    found = gmail.get(userId="me", id=entry["id"]).execute()
    assert found["internalDate"] == "2026-13-45T99:99:99Z"


def test_a_cursor_expires_at_its_next_use(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = events(google).execute()["nextSyncToken"]
    sandbox.fault("expire_cursor", match={"api": "calendar"})
    assert events(google).execute()["items"], "a full listing uses no cursor"
    with pytest.raises(HttpError) as refused:
        events(google, syncToken=token).execute()
    assert (refused.value.status_code, reason(refused.value)) == (410, "fullSyncRequired")


def test_a_cursor_can_expire_at_a_later_page(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = events(google).execute()["nextSyncToken"]
    sandbox.mutate(3, 60, [ada])
    sandbox.fault("expire_cursor", match=LIST, params={"at": "later_page"})
    page = events(google, syncToken=token, maxResults=1).execute()
    with pytest.raises(HttpError) as refused:
        events(google, syncToken=token, pageToken=page["nextPageToken"]).execute()
    assert refused.value.status_code == 410


def test_every_api_expires_cursors_in_its_own_way(sandbox, ada, sign_in):
    google = sign_in(ada)
    sandbox.fault("expire_cursor", times=2)
    with pytest.raises(HttpError) as refused:
        google.gmail.history().list(userId="me", startHistoryId="1").execute()
    assert refused.value.status_code == 404
    params = {"resourceName": "people/me", "personFields": "names", "syncToken": "x"}
    with pytest.raises(HttpError) as refused:
        google.people.connections().list(**params).execute()
    assert reason(refused.value) == "EXPIRED_SYNC_TOKEN"


@pytest.mark.parametrize("empty", [False, True])
def test_short_and_empty_pages_still_add_up(sandbox, ada, sign_in, empty):
    google = sign_in(ada)
    sandbox.fault("short_pages", times=None, params={"size": 5, "empty": empty})
    found = pages(google.calendar.events().list, calendarId="primary")
    assert [len(page["items"]) for page in found] == ([0, 5, 0, 5, 0, 2] if empty else [5, 5, 2])
    messages = pages(google.gmail.messages().list, userId="me")
    shown = {item["id"] for page in messages for item in page.get("messages", [])}
    truth = sandbox.truth(ada, "google_gmail")
    assert shown == {
        key for _, key, item in truth if not {"TRASH", "SPAM"} & set(item.get("labelIds", []))
    }
    people = pages(google.people.connections().list, resourceName="people/me", personFields="names")
    assert sum(len(page.get("connections", [])) for page in people) == 5


def test_the_token_endpoint_fails_too(sandbox, ada, sign_in):
    match = {"api": "oauth", "method": "token", "user": ada}
    params = {"code": 400, "reason": "invalid_grant", "message": "Bad Request"}
    sandbox.fault("status", match=match, params=params)
    google = sign_in(ada)
    with pytest.raises(Exception, match="invalid_grant"):
        google.refresh()
    google.refresh()


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "status", "when": "now"}, "when"),
        ({"kind": "status", "params": {"colour": "red"}}, "params.colour"),
        ({"kind": "status", "match": {"planet": "Mars"}}, "match.planet"),
        ({"kind": "status", "times": 0}, "times"),
        ({"kind": "status", "probability": 2}, "probability"),
        ({"kind": "malformed_item", "params": {"what": "poison"}}, "params.what"),
        ({"kind": "status", "params": {"code": "five"}}, "params.code"),
        ({"kind": "short_pages", "params": {"size": 0}}, "params.size"),
        ({"kind": "status", "match": {"api": 1}}, "match.api"),
    ],
)
def test_a_wrong_rule_is_refused_by_the_name_of_its_field(sandbox, rule, field):
    with pytest.raises(SandboxError, match=f"^400: {field}:"):
        sandbox.fault(**rule)
