"""Settings: what is wrong is named, with what is expected, and secrets stay secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import settings
from pipeline.errors import Misconfigured

Setting = Callable[..., None]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LEASE_SECONDS", "2s", "LEASE_SECONDS='2s': Input should be a valid number"),
        ("LEASE_SECONDS", "0.5", "greater than or equal to 1"),
        ("LEASE_SECONDS", "45", "LEASE_SECONDS=45: expected less than WORKER_TIMEOUT_SECONDS=45"),
        ("WORKER_TIMEOUT_SECONDS", "20", "LEASE_SECONDS=30: expected less than"),
        ("WORKER_METRICS_PORT", "99999", "WORKER_METRICS_PORT='99999': Input should be less than"),
        ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("GRAPH_URI", "http://host", "starts with bolt or neo4j"),
        ("GOOGLE_API_BASE_URL", "host:80", "starts with http:// or https://"),
        ("QUOTA_USE_FRACTION", "1.5", "less than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(
    setting: Setting, name: str, value: str, expected: str
) -> None:
    setting(**{name: value})
    with pytest.raises(Misconfigured, match="Wrong settings") as caught:
        settings()
    assert expected in str(caught.value)


def test_every_wrong_setting_is_listed(setting: Setting) -> None:
    setting(LEASE_SECONDS="x", LOG_FORMAT="xml")
    with pytest.raises(Misconfigured) as caught:
        settings()
    assert "LEASE_SECONDS" in str(caught.value)
    assert "LOG_FORMAT" in str(caught.value)


def test_the_value_of_a_secret_is_not_shown(setting: Setting) -> None:
    setting(MONGODB_URI="postgres://user:hunter2@host/db")
    with pytest.raises(Misconfigured) as caught:
        settings()
    assert "hunter2" not in str(caught.value)
    assert "MONGODB_URI=(secret): expected an address that starts with mongodb://" in str(
        caught.value
    )


def test_the_environment_goes_before_the_file_of_the_embedded_servers(
    setting: Setting, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("LEASE_SECONDS=11\nREQUEUE_AFTER_SECONDS=12\n")
    setting(HEADRACE_DATA_DIR=tmp_path, LEASE_SECONDS=13)
    assert (settings().lease_seconds, settings().requeue_after_seconds) == (13, 12)


def test_a_base_url_needs_no_slash_at_its_end(setting: Setting) -> None:
    setting(GOOGLE_API_BASE_URL="http://localhost:1/")
    assert settings().google_api_base_url == "http://localhost:1"


def test_every_setting_is_described() -> None:
    from pipeline.config import Settings

    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
