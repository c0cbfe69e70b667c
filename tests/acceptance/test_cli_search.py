"""`headrace search` against real stores, its index, and what is refused."""

from __future__ import annotations

import json

import pytest
from command_line import document, headrace, nobody
from found_records import nothing_is_filled, seed

from models import AuditLog
from pipeline.stores import collection


@pytest.fixture
def seeded(stores: None) -> None:
    """Three users, each with a budget."""
    seed()


def test_records_are_found_by_their_words(seeded: None) -> None:
    found = document("search", "find", "budget -draft", "--tenant", "acme", "--as", "eve")
    assert found["total"] == 2
    assert {hit["user_id"] for hit in found["hits"]} == {"ada", "bob"}
    assert found["hits"][0]["title"][0] == {"text": "Budget", "hit": True}
    [row] = collection(AuditLog).find()
    assert (row["actor"], row["action"], row["origin"]) == ("eve", "search.find", "cli")
    assert "budget" not in str(row)
    told = headrace("search", "find", "fiscal", "--user", "ada", "--kind", "mail")
    assert told.exit_code == 0
    assert "Fiscal review" in told.stdout
    assert "1 of 1 found" in told.stderr
    assert "Nothing found" in headrace("search", "find", "lunch", "--user", "ada").stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("budget",), "--tenant"),
        (("budget", "--user", "adda"), "did you mean 'ada'?"),
        (("budget", "--user", "ada", "--tenant", "globex"), "not of the tenant"),
        (("--tenant", "acme", "--", "-draft"), "expected a word"),
        (("budget", "--tenant", "acme", "--source", "nowhere"), "there is no source"),
        (("budget", "--tenant", "acme", "--since", "soon"), "is not a time"),
    ],
)
def test_wrong_use_is_said(seeded: None, arguments: tuple[str, ...], told: str) -> None:
    result = headrace("search", "find", *arguments)
    assert result.exit_code == 2, result.output
    assert told in result.stderr


def test_the_index_is_told_of_and_filled_anew(seeded: None) -> None:
    nothing_is_filled()
    status = document("search", "status")
    assert (status["store"], status["documents"], status["behind"]) == ("mongodb", 4, 0)
    made = document("search", "rebuild", "--no-wait", "--as", "eve")
    assert (made["status"], made["by"]) == ("filling", "eve")
    told = headrace("search", "status").stdout
    assert "filling since" in told
    assert "by eve" in told
    refused = headrace("search", "rebuild", "--no-wait")
    assert refused.exit_code == 1
    assert "being filled already" in refused.stderr


def test_a_store_that_does_not_answer_is_said_with_an_exit_code(stores: None) -> None:
    url = nobody("http").replace("://", "://ada:secret@")
    settings = {"SEARCH_URL": url, "SEARCH_TIMEOUT_SECONDS": "1"}
    result = headrace("search", "status", **settings)
    assert result.exit_code == 4
    assert "SEARCH_URL" in result.stderr
    assert "secret" not in result.output
    found = json.loads(headrace("doctor", "--json", **settings).stdout)["findings"]
    [finding] = [one for one in found if one["about"] == "search"]
    assert finding["level"] == "wrong"
    assert "SEARCH_URL" in finding["text"]
