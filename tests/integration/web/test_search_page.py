"""The page of search: what is found is shown to operators, marked, and noted; and its index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsers import browser, signed_in
from found_records import CALENDAR, event, found, nothing_is_filled, seed
from starlette.testclient import TestClient

from models import AuditLog
from pipeline.jobs.reading import page as jobs
from pipeline.projections import search
from pipeline.stores import collection
from pipeline.web import stores as web_stores

Setting = Callable[..., None]
HX = {"HX-Request": "true"}
URL = "/admin/search"


@pytest.fixture
def client(stores: None) -> TestClient:
    """A browser of an operator, who may find what ada, bob and eve have."""
    seed()
    return signed_in("operator")


def asked(client: TestClient, **data: Any) -> Any:
    return client.post(f"{URL}/find", data=data, headers=HX)


def shown(client: TestClient, **data: Any) -> str:
    """Return what a search shows."""
    answer = asked(client, **data)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.text)


def test_what_is_found_is_shown_with_its_words_marked_and_nothing_of_it_is_markup(
    client: TestClient,
) -> None:
    text = shown(client, q="budget MAUSE", tenant="acme")
    assert "1 to 2 of 2 found" in text
    assert "<mark>Budget</mark> für <mark>Mäuse</mark> &amp; 1 &lt; 2" in text
    assert "/admin/users/ada" in text
    assert "Grace" in text
    assert "/admin/users/eve" not in text
    assert "/admin/users/eve" in shown(client, q="budget", user="eve")
    assert "Nothing has all of these words" in shown(client, q="budget lunch", tenant="acme")


def test_a_search_is_in_the_audit_but_not_what_for(client: TestClient) -> None:
    shown(client, q="budget", user="ada")
    [row] = collection(AuditLog).find({"action": "search.find"})
    assert (row["actor"], row["outcome"]) == ("the-operator", "done")
    assert row["details"] == {"tenant": "acme", "user": "ada", "found": 2}
    assert "budget" not in str(row)


def test_a_viewer_sees_how_the_index_is_and_nothing_else(client: TestClient) -> None:
    viewer = signed_in("viewer")
    text = viewer.get(URL).text
    assert "your role is viewer" in text
    assert "Documents" in text
    assert f'action="{URL}/find"' not in text
    assert asked(viewer, q="budget", tenant="acme").status_code == 403
    assert f"{URL}/rebuild" not in client.get(URL).text


def test_a_search_is_narrowed_down_and_turned_over(client: TestClient) -> None:
    found("bob", CALENDAR, {f"n{n}": event(f"Standup {n:02}") for n in range(23)})
    first = shown(client, q="standup", user="bob", kind="event", since="2026-05-04")
    assert "1 to 20 of 23 found" in first
    assert "Next page" in first
    assert "Previous page" not in first
    last = shown(client, q="standup", user="bob", offset="20", until="2026-05-04")
    assert "21 to 23 of 23 found" in last
    assert "Previous page" in last
    assert "Next page" not in last
    assert "Nothing has" in shown(client, q="standup", user="bob", until="2026-05-03")
    assert "Nothing has" in shown(client, q="standup", user="bob", source="google_gmail")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"q": "", "tenant": "acme"}, "q"),
        ({"q": "-draft", "tenant": "acme"}, "q"),
        ({"q": "a"}, "tenant"),
        ({"q": "a", "user": "nobody"}, "user"),
        ({"q": "a", "user": "eve", "tenant": "acme"}, "user"),
        ({"q": "a", "tenant": "acme", "source": "nowhere"}, "source"),
        ({"q": "a", "tenant": "acme", "since": "soon"}, "since"),
        ({"q": "a", "tenant": "acme", "until": "9999-12-31"}, "until"),
        ({"q": "a", "tenant": "acme", "offset": "-1"}, "offset"),
        ({"q": "a", "tenant": "acme", "offset": "9" * 40}, "offset"),
    ],
)
def test_what_cannot_be_looked_for_is_told_beside_its_field(
    client: TestClient, data: dict[str, str], field: str
) -> None:
    answer = asked(client, **data)
    assert answer.status_code == 400
    assert json.loads(answer.headers["HX-Trigger"])["field"]["name"] == field


def test_an_admin_has_a_new_index_filled_once(client: TestClient) -> None:
    nothing_is_filled()
    admin = signed_in("admin")
    assert f"{URL}/rebuild" in admin.get(URL).text
    assert admin.post(f"{URL}/rebuild", headers=HX).status_code == 204
    rebuild = search.rebuild()
    assert rebuild is not None
    assert (rebuild.status, rebuild.by) == ("filling", "the-admin")
    assert len(jobs("indexing", None, limit=9).jobs) == 1
    text = admin.get(URL).text
    assert "A new index is being filled" in text
    assert f"{URL}/rebuild" not in text
    refused = admin.post(f"{URL}/rebuild", headers=HX)
    assert refused.status_code == 400
    assert "being filled already" in refused.headers["HX-Trigger"]


@pytest.fixture
def no_search_store(stores: None, setting: Setting) -> Iterator[None]:
    """A search store at whose address nobody listens."""
    setting(SEARCH_URL="http://ada:secret@127.0.0.1:1", SEARCH_TIMEOUT_SECONDS=1)
    web_stores.prober.cache_clear()
    yield
    web_stores.prober.cache_clear()


def test_without_its_store_pages_say_so_and_all_else_goes_on(no_search_store: None) -> None:
    operator = signed_in("operator")
    seen = operator.get(URL)
    assert seen.status_code == 200
    assert "does not answer at SEARCH_URL" in seen.text
    answer = asked(operator, q="budget", tenant="acme")
    assert answer.status_code == 503
    assert "SEARCH_URL" in answer.headers["HX-Trigger"]
    ready = browser().get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["stores"]["search"]["status"] == "down"
    assert "secret" not in ready.text + seen.text + str(answer.headers)
