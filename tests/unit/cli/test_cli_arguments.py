"""What commands make of wrong arguments, before they ask any store."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import document, headrace

from pipeline.cli.connect import parse_accounts
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion

TOOLKITS = ["gmail", "googlecalendar"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["connect", "ada"], "one of --file, --sandbox and --composio"),
        (["connect", "ada", "--sandbox", "--composio", "gmail=ca_1"], "one of"),
        (["connect", " ", "--composio", "gmail=ca_1"], "printable"),
        (["connect", "a\nb", "--composio", "gmail=ca_1"], "printable"),
        (["connect", "ada", "--composio", "gmal=ca_1"], "did you mean 'gmail'?"),
        (["connect", "ada", "--composio", "gmail"], "not toolkit=account"),
        (["connect", "ada", "--file", "/nonexistent.json"], "No such file"),
        (["users", "--status", "need_reauth"], "did you mean 'needs_reauth'?"),
        (["sync"], "USER, or --all"),
        (["sync", "ada", "--all"], "USER, or --all"),
        (["sync", "--all", "--full"], "for one USER"),
        (["sync", "ada", "gmail"], "did you mean 'google_gmail'?"),
        (["sync", "ada", "google_calender"], "did you mean 'google_calendar'?"),
        (["sync", "ada", "zzz"], "expected one of google_calendar"),
        (["sandbox", "fault", "status", "--clear"], "give no KIND"),
        (["sandbox", "fault", "status", "--param", "503", "--url", "http://x"], "not name=value"),
        (["sandbox", "expire-cursors", "--source", "mail"], "did you mean 'google_gmail'?"),
        (["up", "--demo", "0"], "--demo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_ends_with_2_and_a_hint(arguments: list[str], hint: str) -> None:
    result = headrace(*arguments)
    assert result.exit_code == 2
    assert hint in result.stderr
    assert result.stdout == ""
    assert document(headrace(*arguments, "--json"))["error"]["exit_code"] == 2


@pytest.mark.parametrize("text", ['{"refresh_token": "s3cret"', '["s3cret"]', "s3cret"])
def test_what_is_wrong_with_a_grant_is_told_without_repeating_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "grant.json"
    path.write_text(text)
    for result in (
        headrace("connect", "ada", "--file", str(path)),
        headrace("connect", "ada", "--file", "-", stdin=text),
    ):
        assert result.exit_code == 2
        assert "JSON" in result.stderr
        assert "s3cret" not in result.output


def test_connecting_to_a_sandbox_needs_one() -> None:
    result = headrace("connect", "ada", "--sandbox")
    assert result.exit_code == 3
    assert "GOOGLE_API_BASE_URL" in result.stderr


def test_accounts_are_read_with_spaces_around_them() -> None:
    read = parse_accounts("gmail=ca_1, googlecalendar = ca_2", TOOLKITS)
    assert read == {"gmail": "ca_1", "googlecalendar": "ca_2"}


def test_an_unknown_toolkit_without_a_near_one_gets_all_of_them() -> None:
    with pytest.raises(WrongUse, match="expected one of gmail, googlecalendar"):
        parse_accounts("slack=ca_1", TOOLKITS)


def test_suggestions_do_not_care_about_case() -> None:
    assert suggestion("ADA", ["ada", "bob"]) == "; did you mean 'ada'?"
    assert suggestion("zzz", ["ada", "bob"]) == ""
