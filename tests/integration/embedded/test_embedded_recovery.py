"""What embedded servers do after kills, beside strangers, and when they are started twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from embedded_helpers import Stores, is_gone, listening_on, until

from pipeline import embedded
from pipeline.embedded.processes import spawn
from pipeline.errors import Misconfigured

#: The list of Redis's append-only files, in its folder.
MANIFEST = Path("appendonlydir", "appendonly.aof.manifest")

#: Starts Redis, tells its process id and whether it was adopted, and ends when its input does.
STARTER = """
import sys
from pathlib import Path
from pipeline import embedded
with embedded.start(Path(sys.argv[1]), ("redis",)) as running:
    print(running.pid("redis"), len(running.adopted), flush=True)
    sys.stdin.read()
"""


@contextmanager
def starter(fresh_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Run STARTER in a process of its own."""
    command = [sys.executable, "-c", STARTER, str(fresh_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def answer_of(process: subprocess.Popen[str]) -> tuple[int, bool]:
    """Return the process id of Redis, and whether it was adopted, as a starter tells it."""
    assert process.stdout is not None
    pid, adopted = process.stdout.readline().split()
    return int(pid), adopted == "1"


@pytest.mark.long
def test_data_and_addresses_survive_a_restart(fresh_dir: Path) -> None:
    with embedded.start(fresh_dir) as first:
        Stores(first.settings).write("before the restart")
    with embedded.start(fresh_dir) as second:
        assert second.settings == first.settings
        assert Stores(second.settings).read() == {"before the restart"}


@pytest.mark.long
def test_what_was_acknowledged_survives_kill_9_of_every_server(fresh_dir: Path) -> None:
    with embedded.start(fresh_dir) as running:
        before = running.settings
        Stores(before).write("acknowledged")
        for name in embedded.ALL:
            os.kill(running.pid(name), signal.SIGKILL)
        until(lambda: len(running.exited()) == len(embedded.ALL))
        assert sorted(running.revive()) == sorted(embedded.ALL)
        assert running.exited() == []
        assert running.settings == before
        assert Stores(before).read() == {"acknowledged"}


@pytest.mark.long
def test_a_port_that_a_stranger_took_is_replaced_and_the_new_one_remembered(
    fresh_dir: Path,
) -> None:
    stores = ("mongodb", "redis")
    with embedded.start(fresh_dir, stores) as first:
        Stores(first.settings).write("kept")
        old = {name: first.ports.port_for(name) for name in stores}
    with (
        listening_on(old["mongodb"]),
        listening_on(old["redis"]),
        embedded.start(fresh_dir, stores) as second,
    ):
        new = {name: second.ports.port_for(name) for name in stores}
        assert not set(new.values()) & set(old.values())
        assert Stores(second.settings).read() == {"kept"}
        Stores(second.settings).write("writable")
    with embedded.start(fresh_dir, stores) as third:
        assert {name: third.ports.port_for(name) for name in stores} == new
        assert Stores(third.settings).read() == {"writable"}


def test_two_starts_at_once_share_one_server(fresh_dir: Path) -> None:
    with starter(fresh_dir) as one, starter(fresh_dir) as other:
        (pid, adopted), (other_pid, other_adopted) = answer_of(one), answer_of(other)
        assert pid == other_pid
        assert sorted([adopted, other_adopted]) == [False, True]
        one.communicate()
        other.communicate()
    assert is_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_a_server_ends_with_the_process_that_started_it(fresh_dir: Path) -> None:
    with starter(fresh_dir) as process:
        pid, _ = answer_of(process)
        process.kill()
    until(lambda: is_gone(pid))


def test_a_server_outlives_the_thread_that_started_it(running: embedded.Running) -> None:
    # They were started from threads of a pool that has ended; Linux kills by thread.
    assert running.exited() == []


def test_what_a_killed_run_left_behind_is_replaced_and_its_data_kept(fresh_dir: Path) -> None:
    with starter(fresh_dir) as process:
        pid, _ = answer_of(process)
        settings = {
            "REDIS_URL": f"redis://127.0.0.1:{embedded.Ports(fresh_dir).remembered('redis')}"
        }
        Stores(settings).write("acknowledged")
        psutil.Process(pid).suspend()  # so that it cannot end by itself
        process.kill()
        process.wait()
    psutil.Process(pid).resume()
    with embedded.start(fresh_dir, ("redis",)) as running:
        assert running.adopted == []
        assert running.pid("redis") != pid
        assert Stores(running.settings).read() == {"acknowledged"}


def test_a_record_whose_process_id_belongs_to_another_process_by_now_is_ignored(
    fresh_dir: Path,
) -> None:
    with embedded.start(fresh_dir, ("redis",)) as first:
        record = json.loads((fresh_dir / "run" / "redis.json").read_text())
    record["process"]["pid"] = os.getpid()
    (fresh_dir / "run" / "redis.json").write_text(json.dumps(record))
    with embedded.start(fresh_dir, ("redis",)) as second:
        assert second.adopted == []
        assert second.settings == first.settings


def test_a_half_written_record_and_ports_file_are_replaced(fresh_dir: Path) -> None:
    embedded.start(fresh_dir, ("redis",)).stop()
    (fresh_dir / "run" / "redis.json").write_text('{"process": {"pid": 1')
    (fresh_dir / "ports.json").write_text('{"redis": 20')
    with embedded.start(fresh_dir, ("redis",)) as running:
        assert Stores(running.settings).read() == {None}


def test_a_server_that_hangs_is_not_adopted_but_named(fresh_dir: Path) -> None:
    with embedded.start(fresh_dir, ("redis",)) as running:
        process = psutil.Process(running.pid("redis"))
        process.suspend()
        with pytest.raises(Misconfigured, match=f"pid {process.pid}, .* does not answer"):
            embedded.start(fresh_dir, ("redis",), ready_within_seconds=0.1)
        process.resume()


def test_files_of_a_first_start_that_never_finished_are_set_aside(fresh_dir: Path) -> None:
    embedded.start(fresh_dir, ("redis",)).stop()
    (fresh_dir / "redis" / ".ready").unlink()
    (fresh_dir / "redis" / MANIFEST).write_text("half")
    told: list[str] = []
    with embedded.start(
        fresh_dir, ("redis",), on_event=lambda _name, text: told.append(text)
    ) as running:
        Stores(running.settings).write("works")
    assert told[0] == "was never ready with its files; moved them to redis.unfinished, begins anew"
    assert (fresh_dir / "redis.unfinished" / MANIFEST).read_text() == "half"


def test_files_of_a_server_that_was_ready_are_never_moved(fresh_dir: Path) -> None:
    embedded.start(fresh_dir, ("redis",)).stop()
    manifest = fresh_dir / "redis" / MANIFEST
    manifest.write_text("broken")
    with pytest.raises(embedded.DidNotStart) as failure:
        embedded.start(fresh_dir, ("redis", "mongodb"))
    assert "did not start: it ended with exit code 1" in str(failure.value)
    assert f"The end of {fresh_dir / 'log' / 'redis.log'}" in str(failure.value)
    assert "AOF manifest" in str(failure.value)
    assert manifest.read_text() == "broken"


def test_two_processes_never_use_one_folder(fresh_dir: Path) -> None:
    fresh_dir.mkdir()
    lock, log = fresh_dir / "lock", fresh_dir / "log"
    first = spawn(["/bin/sleep", "60"], env={}, log=log, lock=lock)
    until(lambda: first.name() == "sleep")
    second = spawn(["/bin/sleep", "60"], env={}, log=log, lock=lock)
    assert second.wait(5) == os.EX_TEMPFAIL
    first.kill()
    first.wait(5)
    assert log.read_text() == f"another process holds {lock}\n"
