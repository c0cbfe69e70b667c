"""Requests by the names of Google's methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httplib2
import pytest
from googleapiclient.discovery_cache import get_static_doc

from pipeline.clients.google_methods import APIS, batch_url, new_request
from pipeline.errors import Permanent

REQUESTS = [
    ("calendar.calendarList.list", {}, "calendar/v3/users/me/calendarList"),
    ("calendar.events.list", {"calendarId": "a@b"}, "calendar/v3/calendars/a%40b/events"),
    ("gmail.users.getProfile", {"userId": "me"}, "gmail/v1/users/me/profile"),
    ("gmail.users.messages.get", {"userId": "me", "id": "x"}, "gmail/v1/users/me/messages/x"),
    ("gmail.users.labels.list", {"userId": "me"}, "gmail/v1/users/me/labels"),
    ("people.people.connections.list", {"resourceName": "people/me"}, "v1/people/me/connections"),
    ("tasks.tasklists.list", {}, "tasks/v1/users/@me/lists"),
    ("tasks.tasks.list", {"tasklist": "x"}, "tasks/v1/lists/x/tasks"),
]


@pytest.mark.parametrize("name", APIS)
def test_addresses_are_those_of_the_discovery_documents(name: str) -> None:
    api = APIS[name]
    document = json.loads(get_static_doc(name, api.version))
    assert document["rootUrl"] == f"{api.root_url}/"
    assert document["servicePath"] == api.service_path
    assert document["batchPath"] == api.batch_path


@pytest.mark.parametrize(("method", "params", "path"), REQUESTS)
def test_calls_go_to_google_unless_another_root_is_set(
    setting: Callable[..., None], method: str, params: dict[str, str], path: str
) -> None:
    setting(GOOGLE_API_BASE_URL="")
    root_url = APIS[method.partition(".")[0]].root_url
    request = new_request(method, params, httplib2.Http())
    assert request.uri.partition("?")[0] == f"{root_url}/{path}"
    setting(GOOGLE_API_BASE_URL="http://127.0.0.1:9/google/")
    request = new_request(method, params, httplib2.Http())
    assert request.uri.partition("?")[0] == f"http://127.0.0.1:9/google/{path}"


def test_batches_follow_the_root_as_well(setting: Callable[..., None]) -> None:
    setting(GOOGLE_API_BASE_URL="")
    assert batch_url("gmail.users.messages.get") == "https://gmail.googleapis.com/batch"
    assert batch_url("calendar.events.get") == "https://www.googleapis.com/batch/calendar/v3"
    setting(GOOGLE_API_BASE_URL="http://127.0.0.1:9")
    assert batch_url("gmail.users.messages.get") == "http://127.0.0.1:9/batch"


def test_a_request_is_sent_over_the_connection_that_it_was_made_for() -> None:
    http = httplib2.Http()
    request = new_request("tasks.tasklists.list", {}, http)
    assert request.http is http


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("calendar.events.lst", {"calendarId": "x"}),
        ("calendar.event.list", {"calendarId": "x"}),
        ("calendar.events.list", {}),
        ("calendar.events.list", {"calendarId": "x", "colour": "private"}),
        ("people.people.connections.list", {"resourceName": "me@private.example"}),
    ],
)
def test_a_call_that_google_does_not_know_is_refused_without_its_values(
    method: str, params: dict[str, str]
) -> None:
    with pytest.raises(Permanent, match=f"^{method} does not exist or does not take") as caught:
        new_request(method, params, httplib2.Http())
    assert "private" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_threads_build_requests_at_the_same_time() -> None:
    def build(number: int) -> list[str]:
        http = httplib2.Http()
        requests = [new_request(method, params, http) for method, params, _ in REQUESTS]
        assert all(request.http is http for request in requests)
        return [f"{number % 2}{request.uri}" for request in requests]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(build, range(100)))
    assert results == results[:2] * 50
