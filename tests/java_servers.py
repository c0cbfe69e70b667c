"""Servers for the tests that come as Java libraries: Neo4j and OpenSearch, out of Maven Central.

`python tests/java_servers.py` fetches both, once per machine.  One of each serves all processes
of a test run, and ends with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import wait_until

_HERE = Path(__file__).parent / "java"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace" / "java"
#: That of the user neo4j; OpenSearch has no users.
PASSWORD = "river-stone-lamp"
_NAMES = ("neo4j", "opensearch")
_START_SECONDS = 90
#: Small and quick to start; they never run for long.
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


#: Kept, since whoever starts a server does not wait for its end.
_STARTED: list[subprocess.Popen[bytes]] = []


def port_of(name: str, run: Path) -> int:
    """Return the port of the server `name` of this test run, which has the folder `run`.

    Whoever asks first starts it.  Skips the test where there is no Java, but fails in CI.
    """
    _require_java()
    record = run / f"{name}.json"
    with _locked(run / f"{name}.lock"):
        if not record.exists():
            record.write_text(json.dumps(_start(name, run)))
    return int(json.loads(record.read_text()))


def fetch(name: str) -> Path:
    """Return the folder with the libraries of a server, which is filled once per machine."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    pom = _HERE / name / "pom.xml"
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    folder = _CACHE / f"{name}-{version}"
    with _locked(_CACHE / f"{name}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=_CACHE) as temporary:
                jars = Path(temporary) / "jars"
                command = ["mvn", "--batch-mode", "--quiet", "--file", str(pom)]
                command += ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
                subprocess.run(command, check=True, cwd=temporary, stdin=subprocess.DEVNULL)
                jars.rename(folder)
    return folder


def missing() -> list[str]:
    """Return the programs that are needed and not there."""
    return [program for program in ("java", "mvn") if shutil.which(program) is None]


def _require_java() -> None:
    if absent := missing():
        reason = (
            f"no {' and no '.join(absent)}: install a JDK 17 or later and Maven "
            "(Debian: apt install default-jdk-headless maven)"
        )
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def _start(name: str, run: Path) -> int:
    port, folder = free_port(), run / name
    (folder / "config").mkdir(parents=True)
    command = ["java", *_JVM, "-cp", f"{fetch(name)}/*", str(_HERE / name / "Server.java")]
    # The process that has started all others of this run.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with (run / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder), str(port), str(owner), PASSWORD],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    _STARTED.append(process)

    def is_ready() -> bool:
        assert process.poll() is None, f"{name} has ended; see {log.name}"
        return b"ready\n" in Path(log.name).read_bytes()

    wait_until(is_ready, f"{name} is ready; see {log.name}", _START_SECONDS)
    return port


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if absent := missing():
        print(f"Neo4j and OpenSearch are not tested: no {' and no '.join(absent)}")  # noqa: T201
    else:
        for name in _NAMES:
            fetch(name)
