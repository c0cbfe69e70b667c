"""`headrace settings`, `env` and `new-key`, and how settings are shown."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from cli_runner import closed_port, document, headrace

from pipeline.clients.keyring import Keyring
from pipeline.config import Settings, settings
from pipeline.described_settings import described, masked


def test_every_setting_has_a_meaning() -> None:
    rows = document(headrace("settings", "--json"))
    assert len(rows) == len(Settings.model_fields)
    assert all(row["meaning"] for row in rows)


def test_the_markdown_has_a_row_per_setting() -> None:
    result = headrace("settings", "--markdown")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(Settings.model_fields) + 2
    assert "| `LEASE_SECONDS` | `30` |" in result.stdout


def test_a_value_is_shown_with_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text("LEASE_SECONDS='25'\nLOG_FORMAT='json'\n")
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LOG_FORMAT", "text")
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    rows = {row.variable: (row.value, row.origin) for row in described()}
    assert rows["LEASE_SECONDS"] == ("25", "file")
    assert rows["LOG_FORMAT"] == ("text", "environment")
    assert rows["LOG_LEVEL"] == ("INFO", "default")


@pytest.mark.parametrize(
    ("value", "secret", "shown"),
    [
        ("mongodb://ada:s3cret@db.example:1/x?w=1", True, "mongodb://ada:***@db.example:1/x?w=1"),
        ("redis://:s3cret@cache.example", True, "redis://:***@cache.example"),
        ("bolt://graph.example:7687", False, "bolt://graph.example:7687"),
        ("http://[::1/x", False, "(an address that cannot be read)"),
        ("k1:abc", True, "(set)"),
        ("", True, ""),
        ("900", False, "900"),
    ],
)
def test_secrets_are_masked(value: str, secret: bool, shown: str) -> None:
    assert masked(value, secret=secret) == shown


def test_a_new_key_is_one_that_the_keyring_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = headrace("new-key").stdout.strip()
    monkeypatch.setenv("ENCRYPTION_KEYS", entry)
    settings.cache_clear()
    try:
        ring = Keyring.from_settings()
    finally:
        settings.cache_clear()
    assert ring.decrypt(ring.encrypt(b"x", "here"), "here") == b"x"
    assert document(headrace("new-key", "--json"))["entry"] != entry


def test_env_without_a_running_up_says_how_to_start_one(tmp_path: Path) -> None:
    result = headrace("env", "--data-dir", str(tmp_path))
    assert result.exit_code == 4
    assert "headrace up" in result.stderr


def test_env_prints_what_runs_but_no_encryption_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        (tmp_path / "env").write_text(f"REDIS_URL='{url}'\nENCRYPTION_KEYS='k1:abc'\n")
        result = headrace("env", "--data-dir", str(tmp_path))
        as_json = document(headrace("env", "--json", HEADRACE_DATA_DIR=str(tmp_path)))
    assert result.stdout.splitlines() == [
        f"export HEADRACE_DATA_DIR={tmp_path}",
        f"export REDIS_URL={url}",
    ]
    assert as_json == {"HEADRACE_DATA_DIR": str(tmp_path), "REDIS_URL": url}


def test_env_notices_that_what_it_would_print_runs_no_more(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"REDIS_URL='redis://127.0.0.1:{closed_port()}/0'\n")
    result = headrace("env", "--data-dir", str(tmp_path))
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "REDIS_URL" in result.stderr


def test_settings_are_found_whatever_the_case_of_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.upper() == "LEASE_SECONDS"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("lease_seconds", "7")
    shown = next(row for row in described() if row.variable == "LEASE_SECONDS")
    assert (shown.value, shown.origin) == ("7", "environment")
