"""What `headrace up` decides and says, without starting anything."""

from __future__ import annotations

import os
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from pipeline.cli.up.children import children, families
from pipeline.cli.up.command import _watch, told
from pipeline.cli.up.demo import DemoUsers
from pipeline.cli.up.environment import (
    MetricsPorts,
    SandboxPorts,
    key_settings,
    missing_servers,
    sandbox_file,
    sandbox_settings,
    wants_sandbox,
    write_env,
)
from pipeline.cli.up.events import Events
from pipeline.cli.up.session import Session
from pipeline.cli.up.stop import Stop
from pipeline.cli.up.watch import Snapshot
from pipeline.config import settings
from pipeline.errors import Misconfigured
from pipeline.freshness import SourceFreshness
from pipeline.jobs.names import queues_with_jobs
from pipeline.queues import (
    AI_PROCESSING,
    DATA_SYNC,
    GRAPH,
    TOKEN_REFRESH,
    WEBHOOK_RENEWAL,
)
from pipeline.sandbox.outreach import SENDGRID_WEBHOOK_PUBLIC_KEY

GOOGLE = ("GOOGLE_API_BASE_URL", "GOOGLE_OAUTH_BASE_URL")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    sandboxed = sandbox_settings(SandboxPorts(1, 2))  # a sandbox may run for other tests
    for name in (*sandboxed, "REDIS_URL", "MONGODB_URI", "GRAPH_URI", "ENCRYPTION_KEYS"):
        monkeypatch.delenv(name, raising=False)


def test_only_servers_that_the_environment_does_not_name_are_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert missing_servers() == ["redis", "mongodb", "graph"]
    monkeypatch.setenv("MONGODB_URI", "mongodb://db.example/headrace")
    monkeypatch.setenv("GRAPH_URI", "")  # as good as not set
    assert missing_servers() == ["redis", "graph"]


def test_a_sandbox_is_for_demos_and_for_folders_that_had_one(tmp_path: Path) -> None:
    assert wants_sandbox(tmp_path, demo=True)
    assert not wants_sandbox(tmp_path, demo=False)
    sandbox_file(tmp_path).touch()
    assert wants_sandbox(tmp_path, demo=False)


def test_no_sandbox_is_started_where_the_environment_says_where_google_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GOOGLE[0], "http://127.0.0.1:1")
    with pytest.raises(Misconfigured, match=GOOGLE[1]):
        wants_sandbox(tmp_path, demo=True)
    monkeypatch.setenv(GOOGLE[1], "http://127.0.0.1:1")
    assert not wants_sandbox(tmp_path, demo=True)


def test_all_queues_with_jobs_share_workers_but_those_with_workers_of_their_own() -> None:
    shared, pushes, own = families()
    assert (shared.name, pushes.name) == ("worker", "worker-webhook-process")
    assert shared.queues == [queue for queue in queues_with_jobs() if not queue.own_workers]
    assert {DATA_SYNC, GRAPH, WEBHOOK_RENEWAL, TOKEN_REFRESH} <= set(shared.queues)
    assert shared.threads == sum(queue.concurrency for queue in shared.queues)
    assert (own.name, own.threads) == ("worker-ai-processing", AI_PROCESSING.concurrency)


def test_workers_have_their_grace_period_before_they_are_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "7")
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    try:
        ports = MetricsPorts({family.name: n for n, family in enumerate(families(), 1)}, 9)
        worker, own, *_, scheduler, web = children(tmp_path, {"LOG_LEVEL": "INFO"}, ports, None)
    finally:
        settings.cache_clear()
    assert worker.stop_timeout_seconds > 7 + 5
    queues = list(worker.argv[worker.argv.index("-Q") + 1 : -4])
    assert queues[:2] == ["data-sync", "graph"]
    assert "webhook-process" not in queues
    assert own.stop_timeout_seconds == worker.stop_timeout_seconds
    assert worker.env == {"LOG_LEVEL": "INFO", "WORKER_METRICS_PORT": "1"}
    assert (scheduler.name, web.name) == ("scheduler", "web")


def test_a_key_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = key_settings(folder)
    assert key_settings(folder) == first
    assert stat.S_IMODE((folder / "encryption.keys").stat().st_mode) == 0o600


def test_a_key_that_is_set_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", "k1:abc")
    assert key_settings(tmp_path) == {}
    assert not list(tmp_path.iterdir())


def test_the_file_that_is_written_is_the_one_that_settings_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = key_settings(tmp_path)
    mongodb = "mongodb://127.0.0.1:27000/headrace?replicaSet=headrace&w=majority"
    write_env(
        tmp_path, {"MONGODB_URI": mongodb, **sandbox_settings(SandboxPorts(2345, 2346)), **keys}
    )
    monkeypatch.setenv("HEADRACE_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    try:
        read = settings()
    finally:
        settings.cache_clear()
    assert read.mongodb_uri.get_secret_value() == mongodb
    assert read.google_oauth_base_url == "http://127.0.0.1:2345"
    assert read.sendgrid_webhook_public_keys == SENDGRID_WEBHOOK_PUBLIC_KEY
    assert read.smtp_url.get_secret_value().endswith("@127.0.0.1:2346")
    assert read.encryption_keys.get_secret_value() == keys["ENCRYPTION_KEYS"]
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def snapshot(behind_start: int = 0, problems: dict[str, str] | None = None, **counts: Any) -> Any:
    source = SourceFreshness("google_gmail", 900, **{"users": 2, "fresh": 2, **counts})
    now = datetime.now(UTC)
    return Snapshot(now, [source], behind_start=behind_start, problems=problems or {})


def test_all_is_fresh_only_when_nothing_is_missing() -> None:
    assert snapshot().all_fresh
    assert not snapshot(fresh=1).all_fresh
    assert not snapshot(lag=1).all_fresh
    assert not snapshot(behind={"graph": 0, "search": 1}).all_fresh
    assert not snapshot(behind_start=1).all_fresh
    assert not snapshot(problems={"mongodb": "AutoReconnect"}).all_fresh
    assert not snapshot(users=0, fresh=0).all_fresh


def report(**values: Any) -> dict[str, Any]:
    records = {"google_gmail": 1200, "google_tasks": 34}
    return {"stopped_by": "fresh", "users": 3, "records": records, "seconds": 4.2, **values}


def test_the_end_is_told_in_plain_words() -> None:
    equal = "3 users with 1,234 records fresh in 4.2 s; all of it as at the provider."
    assert told(report(differences=0)) == [equal]
    assert told(report(differences=None)) == ["3 users with 1,234 records fresh in 4.2 s."]
    different = told(report(differences=2, examples=["ada: MongoDB: missing x"]))
    assert "2 differences" in different[0]
    assert different[1] == "ada: MongoDB: missing x"


def test_what_is_not_fresh_in_time_is_told_with_its_reason() -> None:
    state = {"user": "ada", "source": "google_gmail", "status": "error", "graph_error": ""}
    state["search_error"] = ""
    refused = state | {"error": "answered 503"}
    waiting = state | {"error": "", "status": "queued"}
    lagging = waiting | {"search_error": "no answer at SEARCH_URL"}
    lines = told(report(stopped_by="timeout", not_fresh=3, first=[refused, waiting, lagging]))
    assert lines[1:] == [
        "  ada google_gmail: answered 503",
        "  ada google_gmail: queued",
        "  ada google_gmail: no answer at SEARCH_URL",
    ]


def test_a_signal_while_servers_start_interrupts_and_a_second_one_does_not() -> None:
    with Stop() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert stop.wanted


def test_a_signal_while_it_runs_is_only_noted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stop() as stop:
        stop.gently()
        assert not stop.wait(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_keeps_demo_users_from_being_made_ends_it_however_long_it_was_to_run(
    tmp_path: Path,
) -> None:
    session: Any = Session(tmp_path, 3, Events(aloud=False), sync_all=False)
    session.servers = SimpleNamespace(exited=list)
    session.demo = DemoUsers("no address", 3, session.events.tell, with_campaign=False)
    session.demo.start()
    looks = iter(range(20))  # then it fails here
    with Stop() as stop, pytest.raises(requests.RequestException, match="no address"):
        _watch(session, stop, lambda: next(looks), None)
