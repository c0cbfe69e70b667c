"""The measurements of `headrace bench sync`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import backoff
import httplib2
import psutil
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from pymongo import UpdateOne, monitoring

from models import Record, SyncState
from pipeline import dispatch, embedded
from pipeline.clients.credentials import load_connection
from pipeline.clients.google_credentials import ConnectionCredentials
from pipeline.clients.keyring import new_key
from pipeline.config import settings
from pipeline.connect import connect_google
from pipeline.projections import graph as projection
from pipeline.sandbox.client import SandboxClient
from pipeline.startup import check_stores
from pipeline.stores import collection, mongodb
from pipeline.sync import engine, states

Log = Callable[[str], None]
Results = dict[str, dict[str, Any]]

EVENTS = "google_calendar"
USER, BIG_USER = "bench-user", "bench-big"


def run(folder: Path, records: int, rounds: int, big: int, log: Log) -> Results:
    """Return every measure by name, as {value, target}."""
    with _stage(folder, log) as sandbox:
        log(f"making a user with {records} events")
        _add_user(sandbox, USER, calendars=3, events=records)
        results = _speed(rounds, log)
        results |= _idle_cost(log)
        log(f"making a user with {big} records")
        _add_user(sandbox, BIG_USER, contacts=big)
        results |= _memory(big, log)
        return results


@contextmanager
def _stage(folder: Path, log: Log) -> Iterator[SandboxClient]:
    """Run stores and a sandbox without quotas, and point the settings at them."""
    log("starting MongoDB, Redis, the graph and the sandbox")
    with embedded.start(folder) as running:
        port = running.ports.port_for("sandbox")
        base_url = f"http://127.0.0.1:{port}"
        os.environ.update(
            {
                **running.settings,
                "HEADRACE_DATA_DIR": str(folder),
                "ENCRYPTION_KEYS": new_key(),
                "GOOGLE_API_BASE_URL": base_url,
                "GOOGLE_OAUTH_BASE_URL": base_url,
                # Quotas would be what is measured.
                "QUOTA_INLINE_WAIT_SECONDS": "60",
                "SYNC_BUDGET_SECONDS": "3600",
                "WORKER_METRICS_PORT": "0",
            }
        )
        settings.cache_clear()
        monitoring.register(_COMMANDS)  # before the client is made
        command = [sys.executable, "-m", "pipeline.sandbox", "--port", str(port)]
        process = subprocess.Popen([*command, "--data", str(folder / "sandbox.sqlite3")])
        try:
            sandbox = SandboxClient(base_url)
            _until_it_answers(sandbox)
            sandbox.settings(quotas_enabled=False)
            check_stores()
            yield sandbox
        finally:
            process.terminate()
            process.wait()


@backoff.on_exception(backoff.constant, OSError, interval=0.1, max_time=30)
def _until_it_answers(sandbox: SandboxClient) -> None:
    sandbox.health()


def _add_user(sandbox: SandboxClient, user_id: str, **size: int) -> None:
    sandbox.add_user(user_id, seed=1, **size)
    connect_google(user_id, sandbox.authorized_user(user_id))


def _speed(rounds: int, log: Log) -> Results:
    """Run bare loop, landing, and landing with graph in turn."""
    bare, landing, with_graph = [], [], []
    for turn in range(rounds):
        bare.append(_bare_loop())
        landing.append(_landing(graph=False))
        with_graph.append(_landing(graph=True))
        log(f"round {turn + 1}: {bare[-1]:.0f}, {landing[-1]:.0f}, {with_graph[-1]:.0f} records/s")
    ratio = statistics.median(b / a for a, b in zip(bare, landing, strict=True))
    return {
        "bare_loop_records_per_second": {"value": round(statistics.median(bare))},
        "landing_records_per_second": {"value": round(statistics.median(landing))},
        "landing_to_bare_loop": {"value": round(ratio, 2), "target": "at least 0.7"},
        "landing_and_graph_records_per_second": {"value": round(statistics.median(with_graph))},
    }


def _bare_loop() -> float:
    """Read every page with the client library into bulk_write; return records per second."""
    scratch = mongodb()["bench_bare_loop"]
    scratch.drop()
    scratch.create_index([("calendar", 1), ("id", 1)], unique=True)
    service = _service()
    written, begun = 0, time.monotonic()
    for calendar in service.calendarList().list().execute()["items"]:
        request = service.events().list(calendarId=calendar["id"], maxResults=1000)
        while request is not None:
            answer = request.execute()
            writes = [
                UpdateOne(
                    {"calendar": calendar["id"], "id": event["id"]}, {"$set": event}, upsert=True
                )
                for event in answer["items"]
            ]
            if writes:
                scratch.bulk_write(writes, ordered=False)
            written += len(writes)
            request = service.events().list_next(request, answer)
    return written / (time.monotonic() - begun)


def _service() -> Any:
    """Return what google-api-python-client builds, with nothing of ours around it."""
    credentials = ConnectionCredentials(load_connection(USER, "google"))
    return build(
        "calendar",
        "v3",
        http=AuthorizedHttp(credentials, httplib2.Http()),
        client_options={"api_endpoint": f"{settings().google_api_base_url}/calendar/v3/"},
        cache_discovery=False,
    )


def _landing(*, graph: bool) -> float:
    """Land the user from nothing; return records per second."""
    collection(Record).delete_many({"user_id": USER})
    collection(SyncState).delete_many({"user_id": USER})
    projection.wipe(USER)
    states.ensure(USER, EVENTS, datetime.now(UTC))
    begun = time.monotonic()
    report = engine.sync(USER, EVENTS)
    if graph:
        projection.advance(USER)
    seconds = time.monotonic() - begun
    assert report.outcome == "succeeded", report
    return report.counts.created / seconds


class _Commands(monitoring.CommandListener):
    """Counts the commands that pymongo sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not counted again."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not counted again."""


#: The driver's own, and the renewal of the lease in its thread.
_NOT_OURS = ("hello", "ping", "endSessions")
_COMMANDS = _Commands()


def _idle_cost(log: Log) -> Results:
    """Count what a sync that finds nothing new asks of the provider and of MongoDB."""
    log("counting the operations of an idle sync")
    engine.sync(USER, EVENTS, force=True)
    _COMMANDS.names.clear()
    report = engine.sync(USER, EVENTS, force=True)
    operations = [name for name in _COMMANDS.names if name not in _NOT_OURS]
    state = collection(SyncState).find_one({"user_id": USER, "source": EVENTS})
    assert state is not None
    return {
        "idle_sync_provider_calls": {
            "value": report.calls,
            "target": f"at most {len(state['streams'])}, one per stream",
        },
        "idle_sync_mongodb_operations": {"value": len(operations), "target": "at most 4"},
        "idle_sync_graph_jobs": {"value": len(report.lagging), "target": "0"},
    }


def _memory(big: int, log: Log) -> Results:
    """Let a worker process land the big user and read its peak resident memory."""
    command = [sys.executable, "-m", "dramatiq", "actors", "-p", "1", "-t", "8", "-Q", "data-sync"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        dispatch.send("sync", BIG_USER, "google_contacts")
        begun, peak = time.monotonic(), 0
        while True:
            state = collection(SyncState).find_one(
                {"user_id": BIG_USER, "source": "google_contacts"}
            )
            assert state is not None
            children = psutil.Process(worker.pid).children(recursive=True)
            peak = max([peak, *(_resident(child) for child in children)])
            if state.get("fresh_as_of"):
                break
            if time.monotonic() - begun > 900:
                raise TimeoutError(f"the big user is not fresh: {state['status']}")
            time.sleep(0.05)
    finally:
        worker.terminate()
        worker.wait()
    log(f"landed {state['records']} records in {time.monotonic() - begun:.0f} s")
    return {
        "worker_peak_mib": {
            "value": round(peak / 2**20),
            "target": f"at most 250, landing {big} records",
        }
    }


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
