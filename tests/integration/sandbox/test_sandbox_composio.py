"""Composio's proxy, spoken to by its official client."""

from __future__ import annotations

from collections.abc import Iterator

import composio_client
import pytest

EVENTS = "https://www.googleapis.com/calendar/v3/calendars/primary/events"


@pytest.fixture
def composio(sandbox) -> Iterator[composio_client.Composio]:
    with composio_client.Composio(
        api_key="sandbox-composio-key", base_url=sandbox.base_url, max_retries=0
    ) as client:
        yield client


def test_a_call_is_forwarded_for_its_account(composio, new_user):
    user = new_user(events=12)
    answer = composio.tools.proxy(
        endpoint=EVENTS,
        method="GET",
        connected_account_id=f"ca_{user}",
        parameters=[{"name": "maxResults", "value": "5", "type": "query"}],
    )
    assert answer.status == 200
    assert len(answer.data["items"]) == 5


def test_a_relative_address_and_its_own_query_work_too(composio, new_user):
    answer = composio.tools.proxy(
        endpoint="/gmail/v1/users/me/messages?maxResults=2",
        method="GET",
        connected_account_id=f"ca_{new_user(messages=3)}",
    )
    assert len(answer.data["messages"]) == 2


def test_an_error_of_google_is_an_inner_status(sandbox, composio, new_user):
    user = new_user()
    sandbox.fault("status", match={"api": "calendar"}, params={"code": 429, "retry_after": 9})
    answer = composio.tools.proxy(endpoint=EVENTS, method="GET", connected_account_id=f"ca_{user}")
    assert answer.status == 429
    assert answer.headers["retry-after"] == "9"
    assert answer.data["error"]["code"] == 429


def test_an_answer_that_is_no_json_comes_as_text(sandbox, composio, new_user):
    user = new_user(events=2)
    sandbox.fault("invalid_json", match={"api": "calendar"})
    answer = composio.tools.proxy(endpoint=EVENTS, method="GET", connected_account_id=f"ca_{user}")
    assert isinstance(answer.data, str)


def test_a_connection_that_google_drops_is_a_bad_gateway(sandbox, composio, new_user):
    user = new_user()
    sandbox.fault("drop", match={"api": "calendar"})
    with pytest.raises(composio_client.InternalServerError):
        composio.tools.proxy(endpoint=EVENTS, method="GET", connected_account_id=f"ca_{user}")


def test_headers_and_a_body_are_passed_on(composio, new_user):
    user = new_user(messages=1)
    base = {"connected_account_id": f"ca_{user}", "method": "GET"}
    listed = composio.tools.proxy(endpoint="/gmail/v1/users/me/messages", **base).data
    refused = composio.tools.proxy(
        endpoint=f"/gmail/v1/users/me/messages/{listed['messages'][0]['id']}/modify",
        method="POST",
        body={"addLabelIds": ["STARRED"]},
        connected_account_id=f"ca_{user}",
        parameters=[{"name": "X-Test", "value": "1", "type": "header"}],
    )
    assert refused.status == 403, "the connection may only read"


def test_only_googles_addresses_are_forwarded(composio, new_user):
    with pytest.raises(composio_client.BadRequestError, match="endpoint"):
        composio.tools.proxy(
            endpoint="https://elsewhere.example/x",
            method="GET",
            connected_account_id=f"ca_{new_user()}",
        )


def test_accounts_are_listed_with_redacted_tokens(composio, new_user):
    users = [new_user(), new_user()]
    listed = composio.connected_accounts.list(user_ids=users)
    assert [item.id for item in listed.items] == [f"ca_{user}" for user in users]
    assert listed.total_items == 2
    one = composio.connected_accounts.retrieve(f"ca_{users[0]}")
    assert one.status == "ACTIVE"
    assert one.state.val.access_token == "REDACTED"
    assert one.state.val.refresh_token == "REDACTED"
    first = composio.connected_accounts.list(user_ids=users, limit=1)
    second = composio.connected_accounts.list(user_ids=users, limit=1, cursor=first.next_cursor)
    assert [first.items[0].id, second.items[0].id] == [f"ca_{user}" for user in users]
    assert second.next_cursor is None


def test_a_revoked_account_is_not_active(sandbox, composio, new_user):
    user = new_user()
    sandbox.tokens(user, "revoke")
    assert composio.connected_accounts.retrieve(f"ca_{user}").status == "EXPIRED"
    with pytest.raises(composio_client.BadRequestError, match="not active"):
        composio.tools.proxy(endpoint=EVENTS, method="GET", connected_account_id=f"ca_{user}")


def test_the_key_and_the_account_must_be_known(sandbox, composio):
    with pytest.raises(composio_client.NotFoundError):
        composio.tools.proxy(endpoint=EVENTS, method="GET", connected_account_id="ca_nobody")
    stranger = composio_client.Composio(api_key="x", base_url=sandbox.base_url, max_retries=0)
    with stranger, pytest.raises(composio_client.AuthenticationError):
        stranger.connected_accounts.list()
