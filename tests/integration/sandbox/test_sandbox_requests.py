"""Requests that no client library would send, and answers that all APIs share."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def send(sandbox, new_user, sign_in):
    """Send a signed-in request by hand."""
    google = sign_in(new_user(messages=1), ["https://mail.google.com/"])
    google.refresh()

    def request(verb: str, path: str, **options) -> requests.Response:
        headers = {"authorization": f"Bearer {google.credentials.token}"}
        headers |= options.pop("headers", {})
        url = f"{sandbox.base_url}/{path}"
        return requests.request(verb, url, headers=headers, timeout=10, **options)

    request.token = google.credentials.token
    return request


def test_an_unknown_address_is_not_found(send):
    assert send("GET", "gmail/v2/users/me/profile").status_code == 404
    assert send("PUT", "gmail/v1/users/me/profile").status_code == 404


def test_a_token_may_come_in_the_query(sandbox, send):
    url = f"{sandbox.base_url}/gmail/v1/users/me/profile"
    assert requests.get(url, params={"access_token": send.token}, timeout=10).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "gmail/v1/users/me/messages?pageToken=x",
        "gmail/v1/users/me/threads?q=from:a",
        "gmail/v1/users/me/messages?maxResults=-1",
        "gmail/v1/users/me/messages?includeSpamTrash=perhaps",
        "gmail/v1/users/me/messages?labelIds=Nope",
        "gmail/v1/users/me/messages/x?format=ascii",
        "gmail/v1/users/me/threads/x?format=raw",
        "gmail/v1/users/me/history",
        "gmail/v1/users/me/history?startHistoryId=abc",
    ],
)
def test_a_wrong_value_is_a_400(send, path):
    answer = send("GET", path)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("change", ["pageToken=x", "historyTypes=nothing", "labelId=Nope"])
def test_a_wrong_history_question_is_a_400(send, change):
    start = send("GET", "gmail/v1/users/me/profile").json()["historyId"]
    path = f"gmail/v1/users/me/history?startHistoryId={start}&{change}"
    assert send("GET", path).status_code == 400


@pytest.mark.parametrize("path", ["messages/nope", "threads/nope", "labels/nope"])
def test_what_is_not_there_is_a_404(send, path):
    answer = send("GET", f"gmail/v1/users/me/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["errors"][0]["reason"] == "notFound"


@pytest.mark.parametrize("body", ["{", "[]", '{"addLabelIds": "INBOX"}'])
def test_a_wrong_body_is_a_400(send, body):
    message = send("GET", "gmail/v1/users/me/messages?q=in:anywhere").json()["messages"][0]["id"]
    answer = send("POST", f"gmail/v1/users/me/messages/{message}/modify", data=body)
    assert answer.status_code == 400


@pytest.mark.parametrize("part", ["", "GET", "\xff"])
def test_a_batch_of_nonsense_is_a_400(send, part):
    body = f"--b\r\nContent-Type: application/http\r\n\r\n{part}\r\n--b--\r\n"
    headers = {"content-type": "multipart/mixed; boundary=b"}
    answer = send("POST", "batch/gmail/v1", data=body.encode(), headers=headers)
    assert answer.status_code == 400


def test_an_unknown_event_type_is_a_400(sandbox, new_user, sign_in):
    google = sign_in(new_user())
    google.refresh()
    answer = requests.get(
        f"{sandbox.base_url}/calendar/v3/calendars/primary/events",
        params={"eventTypes": "party", "access_token": google.credentials.token},
        timeout=10,
    )
    assert answer.status_code == 400
