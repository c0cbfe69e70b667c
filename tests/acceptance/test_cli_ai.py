"""`headrace ai` against real stores: what is asked, told, counted and refused."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import document, headrace
from waiting import wait_until

from models import AuditLog
from pipeline.platform import ai
from pipeline.stores import collection

TEXT = (
    "The invoice 4711 for the new printers is due on Friday. "
    "Please pay the invoice of 300 EUR to our bank account. "
    "If the invoice is paid late, the bank charges a fee."
)


@pytest.fixture
def tenant(stores: None) -> str:
    """A tenant that no other test has."""
    return f"tenant-{secrets.token_hex(4)}"


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """A file with a text."""
    path = tmp_path / "letter.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def working(tenant: str) -> Iterator[None]:
    """Somebody who answers what this tenant asks."""

    def answer() -> None:
        wait_until(lambda: ai.listed(tenant), "somebody asks")
        ai.run(ai.listed(tenant)[0]["_id"])

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()


def told(tenant: str, *arguments: str) -> Any:
    return document("ai", *arguments, "--tenant", tenant)


def test_a_text_is_summarized_while_one_waits(tenant: str, letter: str, working: None) -> None:
    row = told(tenant, "ask", "generate-summary", letter, "--wait", "30", "--as", "eve")
    assert (row["status"], row["requested_by"]) == ("done", "eve")
    assert "invoice" in row["result"]["summary"]
    [act] = collection(AuditLog).find({"target": f"tenant {tenant}"})
    assert (act["actor"], act["action"], act["origin"]) == ("eve", "ai.ask", "cli")


def test_what_is_not_answered_in_time_is_told_so(tenant: str, letter: str) -> None:
    arguments = ("ai", "ask", "note-cleanup", letter, "--tenant", tenant, "--wait", "0")
    result = headrace(*arguments)
    assert result.exit_code == 1, result.output
    assert "still queued" in result.output


def test_a_text_comes_from_standard_input_too(tenant: str, letter: str) -> None:
    piped = headrace("ai", "ask", "categorize", "-", "--tenant", tenant, stdin=TEXT)
    assert piped.exit_code == 0, piped.output
    [row] = told(tenant, "list")["requests"]
    assert told(tenant, "ask", "categorize", letter)["id"] == row["id"]
    assert "result" not in row


def test_options_are_words_or_json(tenant: str, letter: str) -> None:
    style = told(tenant, "ask", "generate-summary", letter, "--option", "style=comprehensive")
    assert style["options"]["style"] == "comprehensive"
    offered = 'categories=[{"id":"a","name":"A"}]'
    row = told(tenant, "ask", "categorize", letter, "--option", offered)
    assert row["options"]["categories"][0]["id"] == "a"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("ask", "generate-summary"), "FILE"),
        (("ask", "generate-summary", "/no/such/file"), "cannot be read"),
        (("ask", "generate-summary", "-", "--option", "style"), "NAME=VALUE"),
        (("ask", "generate-sumary", "-"), "did you mean"),
        (("ask", "generate-summary", "--record", "0" * 32), "no such record"),
        (("ask", "translate", "-"), "AI_API_KEY"),
        (("show", "0" * 32), "has no request"),
        (("retry", "0" * 32), "no such request"),
        (("list", "--status", "sung"), "there is no status"),
    ],
)
def test_a_refusal_says_what_is_wrong(tenant: str, arguments: tuple[str, ...], word: str) -> None:
    result = headrace("ai", *arguments, "--tenant", tenant, stdin=TEXT)
    assert result.exit_code in (1, 2), result.output
    assert word in result.output


def test_what_was_used_is_counted(tenant: str, letter: str) -> None:
    ai.run(told(tenant, "ask", "generate-summary", letter)["id"])
    used = told(tenant, "usage")
    assert [(one["type"], one["calls"]) for one in used["uses"]] == [("generate-summary", 1)]
    shown = headrace("ai", "usage", "--tenant", tenant).output
    assert "generate-summary" in shown
    assert "tokens a day" in shown
    assert told(tenant, "usage", "2001-01-01")["uses"] == []


def test_requests_and_types_are_shown(tenant: str, letter: str) -> None:
    request_id = told(tenant, "ask", "generate-summary", letter)["id"]
    ai.run(request_id)
    assert "result: summary" in headrace("ai", "show", request_id, "--tenant", tenant).output
    assert request_id in headrace("ai", "list", "--tenant", tenant).output
    assert "target_language" in headrace("ai", "types").output
    assert "translate" in document("ai", "types")["types"]
