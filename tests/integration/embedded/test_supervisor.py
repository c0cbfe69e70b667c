"""The supervisor keeps children running and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from embedded_helpers import is_gone, until
from hypothesis import given
from hypothesis import strategies as st

from pipeline.embedded.supervisor import Backoff, Child, ChildState, Supervisor
from pipeline.errors import Misconfigured

AT_ONCE = Backoff(first_seconds=0.01, longest_seconds=0.02)


def python(name: str, code: str, **options: object) -> Child:
    """A child that runs some Python."""
    return Child(name, [sys.executable, "-c", code], **options)  # type: ignore[arg-type]


#: Starts two processes of its own, tells their ids, and waits.
WITH_CHILDREN = """
import subprocess, sys
own = [subprocess.Popen(["/bin/sleep", "60"]) for _ in range(2)]
print(*(each.pid for each in own))
own[0].wait()
"""
SLEEPS = "import time; time.sleep(60)"


def state_of(supervisor: Supervisor, name: str) -> ChildState:
    return next(state for state in supervisor.states() if state.name == name)


def told_pids(supervisor: Supervisor, name: str) -> list[int]:
    """Return the process ids in the child's last log line, once it has written one."""
    until(lambda: bool(state_of(supervisor, name).last_log_lines))
    return [int(word) for word in state_of(supervisor, name).last_log_lines[-1].split()]


def test_a_child_that_crashes_is_started_again_and_its_state_tells(fresh_dir: Path) -> None:
    told: list[str] = []
    child = python("worker", "import sys; print('out of luck', sys.argv); sys.exit(3)")
    with Supervisor(
        fresh_dir, [child], on_event=lambda _name, text: told.append(text), backoff=AT_ONCE
    ) as supervisor:
        until(lambda: state_of(supervisor, "worker").restarts >= 3)
        state = state_of(supervisor, "worker")
    assert state.last_exit_code == 3
    assert "out of luck" in state.last_log_lines[0]
    assert told[:3] == [
        "ended with 3; again in 0.01 s",
        "ended with 3; again in 0.02 s",
        "ended with 3; again in 0.02 s",
    ]


def test_a_child_that_was_killed_is_replaced(fresh_dir: Path) -> None:
    with Supervisor(fresh_dir, [python("worker", SLEEPS)], backoff=AT_ONCE) as supervisor:
        first = state_of(supervisor, "worker")
        assert (first.status, first.restarts, first.last_exit_code) == ("running", 0, None)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: state_of(supervisor, "worker").restarts == 1)
        second = state_of(supervisor, "worker")
        assert second.last_exit_code == -signal.SIGKILL
        assert second.pid not in (None, first.pid)


def test_the_children_of_a_killed_child_do_not_outlive_it(fresh_dir: Path) -> None:
    slow = Backoff(first_seconds=60)
    with Supervisor(fresh_dir, [python("worker", WITH_CHILDREN)], backoff=slow) as supervisor:
        grandchildren = told_pids(supervisor, "worker")
        pid = state_of(supervisor, "worker").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: state_of(supervisor, "worker").status == "waiting to restart")
        assert all(map(is_gone, grandchildren))


def test_a_stop_during_the_pause_before_a_restart_does_not_wait_for_it(fresh_dir: Path) -> None:
    supervisor = Supervisor(fresh_dir, [python("worker", "")], backoff=Backoff(first_seconds=60))
    supervisor.start()
    until(lambda: state_of(supervisor, "worker").status == "waiting to restart")
    supervisor.stop()
    assert state_of(supervisor, "worker").status == "stopped"
    assert state_of(supervisor, "worker").restarts == 0


REMEMBERS_ITS_STOP = """
import pathlib, signal, sys
def stop(signal_number, frame):
    with open({order!r}, "a") as file:
        file.write(f"{name} {{signal_number}}\\n")
    sys.exit()
signal.signal(signal.{signal_name}, stop)
print("ready")
signal.pause()
signal.pause()
"""


def remembers(name: str, order: Path, stop_signal: signal.Signals = signal.SIGTERM) -> Child:
    """A child that writes its name and the signal to `order` each time it is told to stop."""
    code = REMEMBERS_ITS_STOP.format(order=str(order), name=name, signal_name=stop_signal.name)
    return python(name, code, stop_signal=stop_signal)


def all_ready(supervisor: Supervisor) -> Callable[[], bool]:
    return lambda: all(state.last_log_lines == ["ready"] for state in supervisor.states())


def test_children_stop_one_after_the_other_last_started_first(fresh_dir: Path) -> None:
    order = fresh_dir / "order"
    children = [remembers("sandbox", order), remembers("worker", order, signal.SIGINT)]
    with Supervisor(fresh_dir, children) as supervisor:
        until(all_ready(supervisor))
    assert order.read_text().splitlines() == [
        f"worker {signal.SIGINT}",
        f"sandbox {signal.SIGTERM}",
    ]


def test_children_stop_in_the_order_that_is_given(fresh_dir: Path) -> None:
    order = fresh_dir / "order"
    supervisor = Supervisor(fresh_dir, [remembers(name, order) for name in ("a", "b", "c")])
    supervisor.start()
    until(all_ready(supervisor))
    supervisor.stop(["b"])
    assert [line[0] for line in order.read_text().splitlines()] == ["b", "c", "a"]


#: Starts a process that leaves the session, and one that, like itself, ignores SIGTERM.
DEAF_FAMILY = """
import signal, subprocess, time
stray = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = subprocess.Popen(["/bin/sleep", "60"])
print(stray.pid, deaf.pid)
time.sleep(60)
"""


def test_a_stop_leaves_no_process_behind_that_ignores_it_or_left_its_session(
    fresh_dir: Path,
) -> None:
    child = python("worker", DEAF_FAMILY, stop_timeout_seconds=0.1)
    with Supervisor(fresh_dir, [child]) as supervisor:
        pids = told_pids(supervisor, "worker")
        assert not any(map(is_gone, pids))
    assert all(map(is_gone, pids))


SUPERVISES = f"""
import sys, time
from pathlib import Path
from pipeline.embedded import Child, Supervisor
child = Child("worker", [sys.executable, "-c", {WITH_CHILDREN!r}])
with Supervisor(Path(sys.argv[1]), [child]) as supervisor:
    while not supervisor.states()[0].last_log_lines:
        time.sleep(0.01)
    print(supervisor.states()[0].pid, supervisor.states()[0].last_log_lines[-1], flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_a_child_ends_with_a_killed_supervisor_and_the_next_one_ends_its_orphans(
    fresh_dir: Path,
) -> None:
    command = [sys.executable, "-c", SUPERVISES, str(fresh_dir)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as killed:
        assert killed.stdout is not None
        worker, *orphans = (int(word) for word in killed.stdout.readline().split())
        killed.kill()
    until(lambda: is_gone(worker))
    assert not any(map(is_gone, orphans))  # nobody told them
    with Supervisor(fresh_dir, [python("worker", SLEEPS)]) as supervisor:
        assert all(map(is_gone, orphans))
        assert state_of(supervisor, "worker").status == "running"


def test_a_second_supervisor_of_one_data_folder_is_refused(fresh_dir: Path) -> None:
    with Supervisor(fresh_dir, [python("worker", SLEEPS)]) as first:
        second = Supervisor(fresh_dir, [python("worker", SLEEPS)])
        with pytest.raises(Misconfigured, match="already"):
            second.start()
        second.stop()
        assert state_of(first, "worker").status == "running"
        assert state_of(second, "worker").status == "not started"


def test_a_program_that_is_not_there_shows_in_the_log(fresh_dir: Path) -> None:
    child = Child("worker", ["/no/such/program"])
    with Supervisor(fresh_dir, [child], backoff=AT_ONCE) as supervisor:
        until(lambda: state_of(supervisor, "worker").restarts >= 1)
        state = state_of(supervisor, "worker")
    assert state.last_exit_code == 127
    assert state.last_log_lines[0].startswith("cannot start /no/such/program")


def test_a_child_sees_our_environment_and_what_is_added(
    fresh_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "one")
    child = python(
        "worker", "import os; print(os.environ['OURS'], os.environ['ADDED'])", env={"ADDED": "two"}
    )
    with Supervisor(fresh_dir, [child]) as supervisor:
        until(lambda: state_of(supervisor, "worker").last_log_lines == ["one two"])


WORKERS = """
import dramatiq
from dramatiq.brokers.stub import StubBroker
dramatiq.set_broker(StubBroker())
"""


def test_no_dramatiq_process_outlives_its_killed_master_or_a_stop(
    fresh_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "stub_actors.py").write_text(WORKERS)
    command = ["-m", "dramatiq", "stub_actors", "--path", str(tmp_path), "-p", "2", "-t", "1"]
    child = Child("worker", [sys.executable, *command])
    with Supervisor(fresh_dir, [child], backoff=AT_ONCE) as supervisor:
        first = dramatiq_family(supervisor)
        os.kill(first[0], signal.SIGKILL)
        until(lambda: state_of(supervisor, "worker").restarts == 1)
        assert all(map(is_gone, first))
        second = dramatiq_family(supervisor)
        supervisor.stop()
        assert all(map(is_gone, second))
        assert state_of(supervisor, "worker").last_exit_code == 0


def dramatiq_family(supervisor: Supervisor) -> list[int]:
    """Return master and workers, once each of the two workers has said that it is ready."""
    pid = state_of(supervisor, "worker").pid
    assert pid is not None

    def ready() -> bool:
        lines = state_of(supervisor, "worker").last_log_lines
        started = [line for line in lines if f"PID {pid}" in line or "is ready for action" in line]
        return len(started) >= 2 and len(psutil.Process(pid).children(recursive=True)) >= 2

    until(ready)
    return [pid, *(each.pid for each in psutil.Process(pid).children(recursive=True))]


def test_pauses_double_from_one_second_to_thirty() -> None:
    pauses = [Backoff().pause_seconds(failures) for failures in range(1, 8)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


@given(st.integers(1, 10**9), st.floats(0.001, 10), st.floats(10, 1000))
def test_a_pause_never_shrinks_and_is_never_longer_than_the_longest(
    failures: int, first_seconds: float, longest_seconds: float
) -> None:
    backoff = Backoff(first_seconds, longest_seconds)
    pause_seconds = backoff.pause_seconds(failures)
    assert first_seconds <= pause_seconds <= longest_seconds
    assert pause_seconds <= backoff.pause_seconds(failures + 1)


def test_a_child_that_ran_long_enough_begins_with_the_first_pause_again(fresh_dir: Path) -> None:
    told: list[str] = []
    always_healthy = Backoff(0.01, 10, healthy_after_seconds=0)
    with Supervisor(
        fresh_dir,
        [python("worker", "")],
        on_event=lambda _name, text: told.append(text),
        backoff=always_healthy,
    ):
        until(lambda: len(told) >= 3)
    assert set(told) == {"ended with 0; again in 0.01 s"}
