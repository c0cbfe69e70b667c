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
from command_line import document, headrace
from processes import SCHEDULER, WORKER, kill_group, running
from waiting import wait_until

from models import Record, SyncState
from pipeline import dispatch, embedded
from pipeline.clients import graph as graph_client
from pipeline.config import Settings, settings
from pipeline.connect import connect_google, connect_microsoft
from pipeline.embedded import Ports
from pipeline.freshness import by_source
from pipeline.jobs import controls
from pipeline.jobs.pump import BEAT_SECONDS
from pipeline.jobs.reading import get, page
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
#: A dead worker is noticed within seconds; its leases have ended by then.
HASTY = {"LEASE_SECONDS": "3", "WORKER_TIMEOUT_SECONDS": "5", "SWEEP_SECONDS": "0.5"}


def connected(sandbox: SandboxClient, count: int) -> list[str]:
    users = [f"user-{number}" for number in range(count)]
    for number, user in enumerate(users):
        sandbox.add_user(user, seed=number, **SIZE)
        connect_google(user, sandbox.authorized_user(user))
        sandbox.add_mailboxes([user], seed=number, messages=25)
        connect_microsoft(user, sandbox.microsoft_grant(user))
    return users


def all_fresh() -> bool:
    now = datetime.now(UTC)
    return all(
        s.share == 1 and s.lag == 0 and s.behind["search"] == 0 and s.users for s in by_source(now)
    )


def at_rest() -> bool:
    return not collection(SyncState).count_documents({"status": {"$in": ["queued", "syncing"]}})


def differences(users: list[str], sandbox: SandboxClient) -> list[str]:
    verdicts: list[Verdict] = [verify(user, sandbox, search=True) for user in users]
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
        wait_until(all_fresh, "all users are fresh, the graph and search have caught up", 60)
    assert differences(users, sandbox) == []


@pytest.mark.long
def test_a_worker_killed_in_its_first_sync_leaves_nothing_wrong(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 3)
    # Slow and short pages make sure that the kill comes in the middle.
    pages = sandbox.fault("short_pages", probability=0.7, seed=1, params={"size": 7})
    assert pages
    for _ in range(2):
        before = collection(Record).count_documents({})
        with running(WORKER, log, **HASTY) as worker:
            dispatch.send("dispatch")
            wait_until(
                lambda before=before: collection(Record).count_documents({}) > before + 20,
                "records land",
            )
            kill_group(worker)
    sandbox.clear_faults()
    with running(WORKER, log, **HASTY):
        wait_until(lambda: ticked() and all_fresh(), "all users are fresh", 90, every_seconds=1)
    assert differences(users, sandbox) == []


def test_the_sync_of_a_killed_worker_runs_again_though_nothing_else_happens(
    sandbox: SandboxClient, log: Path
) -> None:
    [user] = connected(sandbox, 1)
    sandbox.fault("slow", times=2, params={"seconds": 2})
    sent = dispatch.send("sync", user, "google_contacts", tenant_id="default")
    with running(WORKER, log, **HASTY) as worker:
        wait_until(lambda: state_of(sent.message_id) == "running", "the sync runs")
        kill_group(worker)
    with running(WORKER, log, **HASTY):
        wait_until(lambda: state_of(sent.message_id) == "completed", "it ran again", 40)
    job = get(sent.message_id)
    assert job is not None
    assert (job.deaths, job.deliveries, job.summary[:10]) == (1, 2, "40 created")


def state_of(message_id: str) -> str:
    job = get(message_id)
    return job.state if job else ""


def test_a_dead_worker_is_noticed_in_time_for_its_jobs_to_run_again_within_90_seconds() -> None:
    by_default = Settings(_env_file=None)
    # Silence begins at a beat; whoever sweeps may just have swept.
    worst = by_default.worker_timeout_seconds + BEAT_SECONDS + 2 * by_default.sweep_seconds
    assert worst <= 75  # the rest is for a new process to come up


@pytest.mark.long
def test_a_worker_that_was_stopped_for_longer_than_its_lease_changes_nothing(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 2)
    sandbox.fault("short_pages", probability=0.9, seed=2, params={"size": 5})
    with running(WORKER, log, **HASTY) as stalled:
        dispatch.send("dispatch")
        wait_until(lambda: collection(Record).count_documents({}) > 20, "records land")
        os.killpg(stalled.pid, signal.SIGSTOP)
        sandbox.mutate(seed=3, changes=40)
        changed_at = datetime.now(UTC)
        for state in collection(SyncState).find():
            states.request(state["user_id"], state["source"])
        with running(WORKER, log, **HASTY):
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
    for job in ("dispatch", "dispatch_mailboxes", "sweep"):
        dispatch.send(job)
    return True


@pytest.mark.long
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
            'headrace_job_attempts_bucket{le="1.0",queue="data-sync"}',
            'headrace_job_wait_seconds_count{queue="data-sync"}',
            'headrace_job_run_seconds_count{job="sync",queue="data-sync"} 4.0',
            'headrace_jobs_enqueued_total{job="sync",queue="data-sync",result="created"} 4.0',
        ):
            wait_until(lambda line=line: line in scraped(worker_port)(), line)
        for line in (
            'headrace_queue_jobs{queue="data-sync",state="waiting"} 0.0',
            'headrace_queue_workers{queue="data-sync"} 1.0',
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


def test_a_worker_with_a_wrong_queue_does_not_start(servers: dict[str, str], log: Path) -> None:
    with running([*WORKER, "-Q", "data-sync", "grahp"], log) as process:
        assert process.wait(30) == 2
    assert "there is no queue 'grahp'; did you mean 'graph'?" in log.read_text()
    assert "Traceback" not in log.read_text()


WRONG_SCHEDULE = """
from pipeline import schedules
schedules.SCHEDULES = (schedules.Schedule("nightly", "dispach", "cron_dispatch"),)
import scheduler
scheduler.main()
"""


def test_a_schedule_whose_job_does_not_exist_stops_the_start(
    servers: dict[str, str], log: Path
) -> None:
    with running([sys.executable, "-c", WRONG_SCHEDULE], log) as process:
        assert process.wait(30) == 3
    assert log.read_text() == (
        "headrace scheduler does not start. there is no job 'dispach'; did you mean 'dispatch'?\n"
    )


@pytest.mark.long
def test_a_quota_that_all_users_share_pauses_its_source_until_the_provider_takes_calls_again(
    sandbox: SandboxClient, log: Path
) -> None:
    users = connected(sandbox, 2)
    said = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'"
    refusal = {"code": 429, "message": said, "retry_after": 12}
    sandbox.fault("status", match={"api": "people"}, times=1, params=refusal)
    with running(WORKER, log):
        dispatch.send("sync", users[0], "google_contacts")
        wait_until(controls.pauses, "the source is paused")
        ticked()
        others = {"source": {"$ne": "google_contacts"}, "fresh_as_of": None}
        wait_until(
            lambda: not collection(SyncState).count_documents(others), "the others are fresh"
        )
        [pause] = document("status")["pauses"]
        assert pause["scope"] == "source:google_contacts"
        assert "google_contacts: paused until" in headrace("status").stdout
        assert collection(SyncState).count_documents({"fresh_as_of": None}) == 2
        wait_until(lambda: not controls.pauses(), "the pause has ended")
        wait_until(lambda: ticked() and all_fresh(), "all users are fresh", every_seconds=1)
    [deferred] = [job for job in page("data-sync", None, limit=100).jobs if job.deferrals]
    assert deferred.job_id == f"sync:google_contacts:{users[0]}"
    assert (deferred.deferrals, deferred.attempts, deferred.deliveries) == (1, 1, 2)
