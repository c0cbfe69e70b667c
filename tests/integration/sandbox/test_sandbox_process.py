"""The sandbox as a process: what survives a kill, how it stops, what it says."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from google_client import Google
from replica import Replica
from test_sandbox_replica import assert_same, truth

from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.store import Store


@contextmanager
def process(data: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], SandboxClient]]:
    command = [sys.executable, "-m", "pipeline.sandbox", "--port", str(port), "--data", str(data)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    client = SandboxClient(f"http://127.0.0.1:{port}")
    try:
        _wait_for(client, running)
        yield running, client
    finally:
        client.close()
        running.kill()
        running.communicate()


def _wait_for(client: SandboxClient, running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            client.health()
        except OSError:
            assert running.poll() is None, "the sandbox has ended"
            time.sleep(0.02)
        else:
            return
    pytest.fail("the sandbox did not answer")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_everything_survives_a_kill(tmp_path, port):
    data = tmp_path / "sandbox.sqlite3"
    with process(data, port) as (running, sandbox):
        sandbox.settings(quotas_enabled=False, access_token_seconds=7200)
        sandbox.clock(1000)
        sandbox.add_user("ada", calendars=2, events=40, messages=20, contacts=20, task_lists=1)
        replica = Replica(Google(sandbox.base_url, sandbox.authorized_user("ada")))
        replica.sync()
        sandbox.mutate(1, 60)
        before = truth(sandbox, "ada")
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    with process(data, port) as (_, sandbox):
        assert truth(sandbox, "ada") == before
        assert sandbox.settings()["access_token_seconds"] == 7200
        refreshes = replica.google.credentials.token
        replica.google.close()
        fulls = dict(replica.fulls)
        replica.sync()
        assert_same(replica.copy, before)
        assert replica.fulls["messages"] == fulls["messages"]
        assert replica.google.credentials.token == refreshes
        replica.google.close()


def test_it_stops_at_once_and_cleanly(tmp_path, port):
    with process(tmp_path / "sandbox.sqlite3", port) as (running, sandbox):
        sandbox.add_user("ada", calendars=1, events=3)
        started = time.monotonic()
        running.terminate()
        _, errors = running.communicate(timeout=10)
        assert running.returncode == 0
        assert time.monotonic() - started < 10
        assert errors == b""


def test_it_stops_although_a_request_hangs(tmp_path, port):
    with process(tmp_path / "sandbox.sqlite3", port) as (running, sandbox):
        sandbox.fault("hang", match={"api": "oauth"}, params={"seconds": 60})
        with ThreadPoolExecutor(1) as pool:
            url = f"{sandbox.base_url}/token"
            waiting = pool.submit(requests.post, url, timeout=20)
            while not sandbox.faults()[0]["hits"]:
                assert not waiting.done()
            started = time.monotonic()
            running.terminate()
            running.communicate(timeout=10)
            assert waiting.exception() is not None or not waiting.result().ok
        assert running.returncode == 0
        assert time.monotonic() - started < 10


def test_a_dropped_connection_leaves_nothing_in_the_log(tmp_path, port):
    with process(tmp_path / "sandbox.sqlite3", port) as (running, sandbox):
        sandbox.add_user("ada", calendars=1)
        google = Google(sandbox.base_url, sandbox.authorized_user("ada"))
        sandbox.fault("drop", match={"api": "calendar"})
        with pytest.raises(Exception, match="IncompleteRead"):
            google.calendar.calendarList().list().execute()
        google.close()
        running.terminate()
        _, errors = running.communicate(timeout=10)
        assert errors == b""


def test_a_file_of_another_version_is_refused(tmp_path):
    data = tmp_path / "sandbox.sqlite3"
    connection = sqlite3.connect(data)
    connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(ValueError, match="another version"):
        Store(str(data))


def test_a_taken_port_is_an_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "pipeline.sandbox", "--port", port, "--data", ":memory:"]
        ended = subprocess.run(command, capture_output=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert b"Address already in use" in ended.stderr
