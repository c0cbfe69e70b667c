"""`dramatiq actors` and `python scheduler.py` as an operator runs them, and what kills them."""

from __future__ import annotations

import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from processes import SCHEDULER, WORKER, kill_group, running
from waiting import wait_until

from models import Record, SyncState
from pipeline import dispatch, embedded
from pipeline.clients import graph as graph_client
from pipeline.config import settings
from pipeline.connect import connect_google
from pipeline.embedded import Ports
from pipeline.freshness import by_source
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection
from pipeline.sync import states
from pipeline.verify import Verdict, verify

pytestmark = pytest.mark.timeout(240)

SIZE = {
    "calendars": 2,
    "events": 80,
    "messages": 30,
    "contacts": 40,
    "task_lists": 2,
    "tasks": 30,
}


def connected(sandbox: SandboxClient, count: int) -> list[str]:
    users = [f"user-{number}" for number in range(count)]
    for number, user in enumerate(users):
        sandbox.add_user(user, seed=number, **SIZE)
        connect_google(user, sandbox.authorized_user(user))
    return users


def all_fresh() -> bool:
    now = datetime.now(UTC)
    return all(s.share == 1 and s.lag == 0 and s.users for s in by_source(now))


def at_rest() -> bool:
    return not collection(SyncState).count_documents({"status": {"$in": ["queued", "syncing"]}})


def differences(users: list[str], sandbox: SandboxClient) -> list[str]:
    verdicts: list[Verdict] = [verify(user, sandbox) for user in users]
    return [example for verdict in verdicts for example in verdict.examples]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where the processes write; shown when the test fails."""
    path = tmp_path / "log"
    yield path
    sys.stdout.write(path.read_text()[-5000:])


def test_worker_and_scheduler_alone_bring_users_up_to_date(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 3)
    with running(WORKER, log), running(SCHEDULER, log):
        wait_until(all_fresh, "all users are fresh and the graph has caught up", 60)
    assert differences(users, sandbox) == []


def test_a_worker_killed_in_its_first_sync_leaves_nothing_wrong(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 3)
    # Slow and short pages make sure that the kill comes in the middle.
    pages = sandbox.fault("short_pages", probability=0.7, seed=1, params={"size": 7})
    assert pages
    hasty = {"LEASE_SECONDS": "5", "REQUEUE_AFTER_SECONDS": "6"}
    for _ in range(2):
        before = collection(Record).count_documents({})
        with running(WORKER, log, **hasty) as worker:
            dispatch.send("dispatch")
            wait_until(
                lambda before=before: collection(Record).count_documents({}) > before + 20,
                "records land",
            )
            kill_group(worker)
    sandbox.clear_faults()
    with running(WORKER, log, **hasty):
        wait_until(lambda: ticked() and all_fresh(), "all users are fresh", 90, every_seconds=1)
    assert differences(users, sandbox) == []


def test_a_worker_that_was_stopped_for_longer_than_its_lease_changes_nothing(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 2)
    sandbox.fault("short_pages", probability=0.9, seed=2, params={"size": 5})
    hasty = {"LEASE_SECONDS": "5", "REQUEUE_AFTER_SECONDS": "6"}
    with running(WORKER, log, **hasty) as stalled:
        dispatch.send("dispatch")
        wait_until(lambda: collection(Record).count_documents({}) > 20, "records land")
        os.killpg(stalled.pid, signal.SIGSTOP)
        sandbox.mutate(seed=3, changes=40)
        changed_at = datetime.now(UTC)
        for state in collection(SyncState).find():
            states.request(state["user_id"], state["source"])
        with running(WORKER, log, **hasty):
            wait_until(
                lambda: ticked() and all_fresh() and all_synced_since(changed_at),
                "all changes have arrived",
                90,
                every_seconds=1,
            )
        os.killpg(stalled.pid, signal.SIGCONT)
        wait_until(at_rest, "the stalled worker has come to itself")
    assert differences(users, sandbox) == []


def all_synced_since(moment: datetime) -> bool:
    return not collection(SyncState).count_documents({"fresh_as_of": {"$not": {"$gte": moment}}})


def ticked() -> bool:
    """Do what the scheduler does each minute."""
    dispatch.send("dispatch")
    dispatch.send("sweep")
    return True


def test_a_graph_outage_makes_nobody_stale_and_heals_by_itself(
    sandbox: SandboxClient, log: Path, tmp_path: Path
) -> None:
    users = connected(sandbox, 2)
    graph = embedded.start(tmp_path / "graph", ["graph"])
    graph.stop()
    with running(WORKER, log, **graph.settings), running(SCHEDULER, log):
        wait_until(
            lambda: all(s.share == 1 for s in by_source(datetime.now(UTC))), "MongoDB is fresh", 60
        )
        assert all(s.lag > 0 for s in by_source(datetime.now(UTC)))
        with embedded.start(tmp_path / "graph", ["graph"]):
            wait_until(all_fresh, "the graph has caught up", 150)
            with reading(graph.settings):
                assert differences(users, sandbox) == []


@contextmanager
def reading(graph: dict[str, str]) -> Iterator[None]:
    """Let this process read another graph for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in graph.items():
            patch.setenv(name, value)
        settings.cache_clear()
        graph_client.close()
        yield
    settings.cache_clear()
    graph_client.close()


def test_a_graceful_stop_gives_work_back_at_once(sandbox: SandboxClient, log: Path) -> None:
    connected(sandbox, 1)
    sandbox.fault("slow", times=3, params={"seconds": 2})
    with running(WORKER, log) as worker:
        dispatch.send("dispatch")
        wait_until(
            lambda: collection(SyncState).count_documents({"status": "syncing"}), "a sync runs"
        )
        worker.terminate()
        worker.wait(30)
    assert collection(SyncState).count_documents({"status": "syncing"}) == 0


def test_worker_and_scheduler_serve_their_metrics(sandbox: SandboxClient, log: Path) -> None:
    connected(sandbox, 1)
    ports = Ports(Path(os.environ["HEADRACE_DATA_DIR"]))
    worker_port, scheduler_port = ports.port_for("worker"), ports.port_for("scheduler")
    ports_set = {
        "WORKER_METRICS_PORT": str(worker_port),
        "SCHEDULER_METRICS_PORT": str(scheduler_port),
    }

    def scraped(port: int) -> Callable[[], str]:
        def read() -> str:
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return str(answer.read().decode())
            except OSError:
                return ""

        return read

    with running(WORKER, log, **ports_set), running(SCHEDULER, log, **ports_set):
        wait_until(all_fresh, "all users are fresh", 60)
        for line in (
            'headrace_syncs_total{outcome="succeeded",source="google_tasks"} 1.0',
            'headrace_records_total{operation="created",source="google_contacts"} 40.0',
            'headrace_jobs_total{job="sync",outcome="completed",queue="data-sync"} 4.0',
        ):
            wait_until(lambda line=line: line in scraped(worker_port)(), line)
        for line in (
            'headrace_queue_jobs{queue="data-sync",state="waiting"} 0.0',
            'headrace_fresh_share{source="google_calendar"} 1.0',
        ):
            wait_until(lambda line=line: line in scraped(scheduler_port)(), line)


def test_a_start_waits_for_mongodb(servers: dict[str, str], log: Path, tmp_path: Path) -> None:
    mongodb = embedded.start(tmp_path / "mongodb", ["mongodb"])
    mongodb.stop()
    with running(SCHEDULER, log, **mongodb.settings) as scheduler:
        with pytest.raises(psutil.TimeoutExpired):
            scheduler.wait(2)
        with embedded.start(tmp_path / "mongodb", ["mongodb"]):
            wait_until(lambda: "scheduler runs" in log.read_text(), "the scheduler runs", 60)
            scheduler.terminate()
            assert scheduler.wait(30) == 0


@pytest.mark.parametrize("command", [WORKER, SCHEDULER])
@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("LEASE_SECONDS", "soon", "LEASE_SECONDS='soon'"),
        ("ENCRYPTION_KEYS", "", "ENCRYPTION_KEYS"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(
    servers: dict[str, str], log: Path, command: list[str], setting: str, value: str, text: str
) -> None:
    with running(command, log, **{setting: value}) as process:
        assert process.wait(30) != 0
    assert text in log.read_text()
    assert "Traceback" not in log.read_text()
