"""Search by the API: of one tenant alone, in pages, with the words marked."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import caller
from found_records import CALENDAR, event, found, seed
from starlette.testclient import TestClient

READS = "search:read"


@pytest.fixture
def client(stores: None) -> TestClient:
    """A client that may search in the records of all tenants."""
    seed()
    return caller(READS)


def ids(client: TestClient, **query: Any) -> list[str]:
    """Return what is found, by the ids of the items."""
    answer = client.get("search", params=query)
    assert answer.status_code == 200, answer.text
    return sorted(hit["item_id"] for hit in answer.json()["hits"])


def test_what_is_found_says_where_it_is_and_which_words_were_looked_for(client: TestClient) -> None:
    response = client.get("search", params={"q": "MAUSE budget", "user_id": "ada"})
    assert response.status_code == 200, response.text
    answer = response.json()
    [hit] = answer["hits"]
    assert (answer["total"], answer["next"]) == (1, None)
    same = {name: hit[name] for name in ("user_id", "source", "kind", "stream", "item_id", "at")}
    assert same == {
        "user_id": "ada", "source": CALENDAR, "kind": "event", "stream": "events/c1",
        "item_id": "e-ada", "at": "2026-05-04T09:00:00Z",
    }  # fmt: skip
    assert [one["text"] for one in hit["title"] if one["hit"]] == ["Budget", "Mäuse"]
    assert "Grace" in hit["people"]
    [hit] = client.get("search", params={"q": "fiscal draft", "tenant_id": "acme"}).json()["hits"]
    assert [one["text"] for one in hit["snippet"] if one["hit"]] == ["fiscal", "draft"]


def test_a_search_is_narrowed_down(client: TestClient) -> None:
    assert ids(client, q="budget", tenant_id="acme") == ["e-ada", "e-bob", "m-ada"]
    assert ids(client, q="budget", user_id="eve") == ["e-eve"]
    assert ids(client, q="budget -draft", user_id="ada") == ["e-ada"]
    assert ids(client, q="budget", user_id="ada", kind="mail") == ["m-ada"]
    assert ids(client, q="budget", user_id="ada", source=CALENDAR) == ["e-ada"]
    both = [CALENDAR, "google_gmail"]
    assert ids(client, q="budget", user_id="ada", source=both) == ["e-ada", "m-ada"]
    day = {"since": "2026-05-04T00:00:00Z", "until": "2026-05-05T00:00:00+02:00"}
    assert ids(client, q="budget", user_id="ada", **day) == ["e-ada"]
    assert ids(client, q="budget", user_id="ada", since="2026-05-05T00:00:00Z") == []


def test_a_token_of_a_tenant_finds_nothing_else(client: TestClient) -> None:
    theirs = caller(READS, tenant_id="globex")
    assert ids(theirs, q="budget") == ids(theirs, q="budget", tenant_id="globex") == ["e-eve"]
    for query in ({"tenant_id": "acme"}, {"user_id": "ada"}, {"user_id": "nobody"}):
        assert theirs.get("search", params={"q": "budget", **query}).status_code == 404
    mixed = {"q": "budget", "user_id": "ada", "tenant_id": "globex"}
    assert client.get("search", params=mixed).status_code == 404
    assert caller("users:read").get("search", params={"q": "budget"}).status_code == 403


def test_hits_come_in_pages(client: TestClient) -> None:
    found("bob", CALENDAR, {f"n{n}": event("Standup", day=n + 1) for n in range(7)})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"q": "standup", "user_id": "bob", "limit": "3", **cursor}
        answer = client.get("search", params=query).json()
        assert answer["total"] == 7
        seen += [hit["item_id"] for hit in answer["hits"]]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert sorted(seen) == [f"n{n}" for n in range(7)]


def test_what_was_deleted_is_found_no_longer(client: TestClient) -> None:
    found("ada", CALENDAR, {"e-ada": None}, seq=2)
    assert ids(client, q="budget", user_id="ada") == ["m-ada"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": "budget"}, "tenant_id"),
        ({"tenant_id": "acme"}, "q"),
        ({"q": "...", "tenant_id": "acme"}, "q"),
        ({"q": "-draft", "tenant_id": "acme"}, "q"),
        ({"q": "x" * 201, "tenant_id": "acme"}, "q"),
        ({"q": "a", "tenant_id": "acme", "source": "nowhere"}, "source"),
        ({"q": "a", "tenant_id": "acme", "kind": "nothing"}, "kind"),
        ({"q": "a", "tenant_id": "acme", "limit": "101"}, "limit"),
        ({"q": "a", "tenant_id": "acme", "cursor": "99999"}, "cursor"),
        ({"q": "a", "tenant_id": "acme", "since": "2026-05-04T00:00:00"}, "since"),
        ({"q": "a", "tenant_id": "acme", "since": "0001-01-01T00:00:00+12:00"}, "since"),
        (
            {
                "q": "a",
                "tenant_id": "acme",
                "since": "2026-05-04T00:00:00Z",
                "until": "2026-05-04T00:00:00Z",
            },
            "until",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_refused_by_its_field(
    client: TestClient, query: dict[str, str], field: str
) -> None:
    answer = client.get("search", params=query)
    assert answer.status_code == 422, answer.text
    assert [one["field"] for one in answer.json()["errors"]] == [field]
