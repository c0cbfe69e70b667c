"""`headrace connect-link`."""

from __future__ import annotations

import pytest
from cli_runner import document, headrace

from pipeline.clients.keyring import new_key

ENVIRONMENT = {
    "ENCRYPTION_KEYS": new_key(),
    "PUBLIC_BASE_URL": "https://headrace.example",
    "CONNECT_RETURN_ORIGINS": "https://app.example",
}


def test_the_link_is_all_of_the_output() -> None:
    result = headrace("connect-link", "ada", "--minutes", "5", **ENVIRONMENT)
    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    assert line.startswith("https://headrace.example/connect/google?t=")


def test_the_link_comes_as_json_too() -> None:
    options = ["--sources", "google_gmail, google_tasks", "--return-to", "https://app.example/x"]
    result = headrace("connect-link", "ada", *options, "--tenant", "t", "--json", **ENVIRONMENT)
    said = document(result)
    assert said["url"].startswith("https://headrace.example/connect/google?t=")
    assert (said["user"], said["provider"], said["minutes"]) == ("ada", "google", 60)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["ada", "--sources", "gmail"], "did you mean 'google_gmail'"),
        (["ada", "--provider", "gogle"], "there is no provider 'gogle'"),
        (["ada", "--return-to", "https://evil.example"], "CONNECT_RETURN_ORIGINS"),
        (["ada", "--minutes", "0"], "minutes"),
        ([" "], "a user id is"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_work_is_refused_as_wrong_use(arguments: list[str], complaint: str) -> None:
    result = headrace("connect-link", *arguments, **ENVIRONMENT)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_without_a_key_nothing_can_be_signed() -> None:
    result = headrace("connect-link", "ada")
    assert result.exit_code != 0
    assert "ENCRYPTION_KEYS is empty" in result.stderr
