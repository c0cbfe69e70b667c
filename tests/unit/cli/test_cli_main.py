"""What holds for every command: help, exit codes, errors, JSON."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from cli_runner import document, headrace, nobody_answers

from pipeline.cli.exits import MEANINGS, exit_code_of, is_expected, message_of
from pipeline.cli.main import COMMANDS, Lazy
from pipeline.errors import Misconfigured, Permanent, RateLimited, ReauthRequired, Transient

#: Benchmarks and chaos runs are applications of their own.
OWN = [lazy for lazy in COMMANDS if not lazy.target.startswith("benchmarks.")]
NEEDS_MONGODB = [
    ["users"],
    ["status"],
    ["sync", "ada"],
    ["sync", "--all"],
    ["connect", "ada", "--composio", "gmail=ca_1"],
]


def test_help_documents_every_exit_code_and_every_command() -> None:
    shown = headrace("--help").output
    for code, meaning in MEANINGS.items():
        assert f"{code}  {meaning}" in shown
    for lazy in COMMANDS:
        assert lazy.name in shown
        assert lazy.summary in shown


def test_without_a_command_there_is_help() -> None:
    result = headrace()
    assert result.exit_code == 0
    assert "Exit codes" in result.output


@pytest.mark.parametrize("lazy", OWN, ids=lambda lazy: lazy.name)
def test_every_command_has_examples_and_can_answer_in_json(lazy: Lazy) -> None:
    result = headrace(lazy.name, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.output
    assert f"headrace {lazy.name}" in result.output
    assert "--json" in result.output or lazy.name == "web"  # which answers over HTTP


@pytest.mark.parametrize("name", ["list", "show", "logs", "retry", "cancel", "promote"])
def test_every_command_for_jobs_has_examples_and_can_answer_in_json(name: str) -> None:
    result = headrace("jobs", name, "--help")
    assert f"headrace jobs {name}" in result.output
    assert "--json" in result.output


@pytest.mark.parametrize("name", ["mutate", "users", "fault", "expire-cursors", "usage"])
def test_every_sandbox_command_has_examples_and_can_answer_in_json(name: str) -> None:
    result = headrace("sandbox", name, "--help")
    assert f"headrace sandbox {name}" in result.output
    assert "--json" in result.output


def test_help_loads_no_client_library() -> None:
    program = (
        "import sys\n"
        "from pipeline.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pymongo', 'redis', 'neo4j', 'mongoengine', 'dramatiq', 'googleapiclient'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_an_unknown_command_suggests_the_nearest() -> None:
    result = headrace("stauts")
    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.stderr
    assert result.stdout == ""


def test_a_wrong_option_is_one_document_in_json() -> None:
    result = headrace("users", "--limit", "0", "--json")
    assert result.exit_code == 2
    error = document(result)["error"]
    assert error["exit_code"] == 2
    assert "--limit" in error["message"]


@pytest.mark.parametrize("arguments", NEEDS_MONGODB, ids=" ".join)
def test_a_store_that_is_down_is_named_at_once(arguments: list[str]) -> None:
    result = headrace(*arguments, "--json", **nobody_answers())
    assert result.exit_code == 4
    assert "MONGODB_URI" in str(document(result))
    assert "Traceback" not in result.output


def test_a_wrong_setting_is_said_in_one_line_without_a_traceback() -> None:
    result = headrace("users", LEASE_SECONDS="0.3")
    assert result.exit_code == 3
    assert "LEASE_SECONDS='0.3'" in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_secret_setting_is_not_repeated() -> None:
    result = headrace("users", MONGODB_URI="http://user:hunter2@db.example")
    assert result.exit_code == 3
    assert "MONGODB_URI" in result.stderr
    assert "hunter2" not in result.output


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    result = headrace("users", MONGODB_URI="mongodb://user:hun/ter2@db.example/headrace")
    assert result.exit_code == 3
    assert "MONGODB_URI" in result.stderr
    assert "hun" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("no key"), 3),
        (Transient("down"), 4),
        (RateLimited("wait", retry_after_seconds=3), 4),
        (Permanent("refused"), 1),
        (ReauthRequired("revoked"), 1),
        (ZeroDivisionError("bug"), 1),
    ],
)
def test_each_class_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code


def test_errors_of_client_libraries_count_as_no_answer_and_their_text_stays_inside() -> None:
    from pymongo.errors import DuplicateKeyError
    from redis.exceptions import ConnectionError as RedisConnectionError

    kinds: list[Any] = [DuplicateKeyError, RedisConnectionError]
    for kind in kinds:
        error = kind("key: ada@example.com")
        assert exit_code_of(error) == 4
        assert is_expected(error)
        assert "ada" not in message_of(error)


def test_a_fault_of_our_own_is_told_as_one_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A number where the command expects its list of rows.
    monkeypatch.setattr("pipeline.described_settings.described", lambda: 1)
    result = headrace("settings", "--json")
    assert result.exit_code == 1
    assert document(result)["error"]["class"] == "TypeError"
    assert "Traceback" in result.stderr
