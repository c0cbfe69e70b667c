"""From a server's description to a process that answers, and back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import psutil

from pipeline.embedded import guard
from pipeline.embedded.files import (
    FileLock,
    last_lines,
    move_long_log_aside,
    read_json,
    write_private,
)
from pipeline.embedded.ports import Ports, taken_from
from pipeline.embedded.processes import Identity, end, is_alive, spawn
from pipeline.embedded.server import NotReady, Server
from pipeline.errors import Misconfigured

#: Called with a server's name and what happened to it; from several threads, one at a time.
OnEvent = Callable[[str, str], None]

STOP_SECONDS = 20.0
_ADOPT_SECONDS = 10.0
_POLL_SECONDS = 0.02
_PORT_CHECK_SECONDS = 3.0
_TRIES = 3


class DidNotStart(Misconfigured):
    """A server ended, or did not answer in time; carries its last log lines."""


@dataclass
class Instance:
    """One server process that has answered."""

    server: Server
    settings: dict[str, str]
    process: psutil.Process
    adopted: bool
    """It was running already; somebody else started it and will stop it."""

    def stop(self) -> bool:
        """Stop the process; return whether it did so without being killed."""
        in_time = end(self.process, signal.SIGTERM, within_seconds=STOP_SECONDS)
        record = _Record.read(self.server)
        if record and record.process.pid == self.process.pid:  # else it speaks of a successor
            self.server.record.unlink(missing_ok=True)
        return in_time


@dataclass(frozen=True)
class _Record:
    """What `run/<name>.json` holds, so that other processes can find a server."""

    process: Identity
    starter: Identity
    ports: dict[str, int]

    @classmethod
    def read(cls, server: Server) -> _Record | None:
        content = read_json(server.record)
        try:
            return cls(
                Identity(**content["process"]),
                Identity(**content["starter"]),
                {name: content["ports"][name] for name in server.port_names},
            )
        except (KeyError, TypeError):
            return None

    def write(self, server: Server) -> None:
        write_private(server.record, json.dumps(asdict(self), indent=2))


@dataclass
class Starter:
    """Brings up one server; `cancelled` makes it give up and clean up after itself."""

    server: Server
    ports: Ports
    on_event: OnEvent
    ready_within_seconds: float
    cancelled: threading.Event

    def adopt_or_start(self) -> Instance:
        """Return the server that runs already, or a new one, once it has answered.

        Raises DidNotStart, or Misconfigured if the program is missing or a server
        that runs already does not answer.
        """
        has_files = self.server.folder.exists()
        self.server.prepare()
        return self._adopt() or self._start(may_be_unfinished=has_files)

    def _adopt(self) -> Instance | None:
        record = _Record.read(self.server)
        process = record.process.find() if record else None
        if record is None or process is None:
            return None
        starter = record.starter.find()
        if starter is None:
            # On Linux it has its SIGTERM already, and answers for a moment more.
            self._event(f"ends what a killed run has left behind, pid {process.pid}")
            end(process, signal.SIGTERM, within_seconds=STOP_SECONDS)
            return None
        try:
            within_seconds = min(_ADOPT_SECONDS, self.ready_within_seconds)
            self._await_answer(process, record.ports, within_seconds)
        except NotReady as reason:
            raise Misconfigured(
                f"The embedded {self.server.title} of {self.server.data_dir} runs as pid "
                f"{process.pid}, started by pid {starter.pid}, but does not answer ({reason}): "
                "stop that process first."
            ) from None
        self._event(f"runs already, pid {process.pid}")
        return Instance(self.server, self.server.settings(record.ports), process, adopted=True)

    def _start(self, *, may_be_unfinished: bool) -> Instance:
        for _ in range(_TRIES - 1):
            ports = self._choose_ports()
            try:
                return self._launch(ports)
            except DidNotStart as failure:
                taken = [name for name in ports if self.ports.forget_if_taken(name)]
                if taken:
                    self._event("somebody else took its port in the same moment; tries another")
                elif may_be_unfinished and not self.cancelled.is_set():
                    self._set_unfinished_folder_aside(failure)
                    may_be_unfinished = False
                else:
                    raise
        return self._launch(self._choose_ports())

    def _choose_ports(self) -> dict[str, int]:
        # A server that was just told to stop still holds its folder, and its port.
        lock = FileLock(self.server.lock)
        if not lock.acquire(within_seconds=STOP_SECONDS):
            raise Misconfigured(
                f"Another process uses {self.server.folder}: stop it, or set another data folder."
            )
        lock.release()
        return {name: self.ports.port_for(name) for name in self.server.port_names}

    def _launch(self, ports: dict[str, int]) -> Instance:
        server = self.server
        command = server.command(ports)
        log_start_bytes = move_long_log_aside(server.log)
        began = time.monotonic()
        process = spawn(
            command,
            env=server.environment(),
            log=server.log,
            lock=server.lock,
            folder=server.folder,
        )
        try:
            starter = Identity.of(psutil.Process(os.getpid()))
            _Record(Identity.of(process), starter, ports).write(server)
            self._await_answer(process, ports, self.ready_within_seconds)
            server.ready_marker.touch()
            self._event(
                f"started on port {ports[server.name]}, pid {process.pid}, "
                f"in {time.monotonic() - began:.1f} s"
            )
        except NotReady as reason:
            raise self._failure(process, str(reason), log_start_bytes) from None
        except BaseException:
            end(process, signal.SIGTERM, within_seconds=STOP_SECONDS)
            raise
        return Instance(server, server.settings(ports), process, adopted=False)

    def _await_answer(
        self, process: psutil.Process, ports: dict[str, int], within_seconds: float
    ) -> None:
        """Return when the server has answered; raise NotReady if it ended or took too long."""
        began = time.monotonic()
        while True:
            if self.cancelled.is_set():
                raise NotReady("the start was given up")
            if not is_alive(process):
                raise NotReady("it ended")
            try:
                if self.server.probe(ports) in (process.pid, None):
                    return
                raise NotReady("another server answers on its port")
            except NotReady as reason:
                waited_seconds = time.monotonic() - began
                if waited_seconds >= within_seconds:
                    raise NotReady(f"no answer in {within_seconds:g} s: {reason}") from None
            # Not at once: most servers end by themselves if their port is taken.
            if waited_seconds > _PORT_CHECK_SECONDS and taken_from(process, ports.values()):
                raise NotReady("somebody else listens on its port")
            time.sleep(_POLL_SECONDS)

    def _failure(self, process: psutil.Process, reason: str, log_start_bytes: int) -> Misconfigured:
        """End the process and say why it did not become ready."""
        server = self.server
        ended_by_itself = not is_alive(process)
        end(process, signal.SIGTERM, within_seconds=STOP_SECONDS)
        server.record.unlink(missing_ok=True)
        lines = last_lines(server.log, after_bytes=log_start_bytes)
        exit_code = process.wait(0) if ended_by_itself else None
        if missing := _missing_from_this_machine(exit_code, lines):
            return Misconfigured(f"{server.title}: {missing}, or set {server.instead}.")
        with_code = f" with exit code {exit_code}" if ended_by_itself else ""
        return DidNotStart(
            f"The embedded {server.title} did not start: {reason}{with_code}.\n"
            + "\n".join([f"The end of {server.log}:", *(f"  {line}" for line in lines)])
        )

    def _set_unfinished_folder_aside(self, failure: DidNotStart) -> None:
        """Make room for a new folder if this one was never ready, else raise `failure`.

        A server that was killed while it made its files may refuse them.  Nobody
        has had settings for such a folder, so nothing acknowledged is in it; it is
        kept under another name all the same.
        """
        server = self.server
        if server.ready_marker.exists():
            raise failure
        aside = server.folder.with_name(f"{server.name}.unfinished")
        shutil.rmtree(aside, ignore_errors=True)
        server.folder.rename(aside)
        server.prepare()
        self._event(f"was never ready with its files; moved them to {aside.name}, begins anew")

    def _event(self, text: str) -> None:
        self.on_event(self.server.name, text)


def _missing_from_this_machine(exit_code: int | None, lines: list[str]) -> str | None:
    """Return what a person must install, if that is why a program did not run."""
    for line in lines:
        # The loader's words: https://man7.org/linux/man-pages/man8/ld.so.8.html
        if found := re.search(r"error while loading shared libraries: ([^:]+)", line):
            return f"the shared library {found[1]} is missing on this machine: install it"
    if exit_code in (guard.CANNOT_RUN, guard.NOT_FOUND) and lines:
        return f"{lines[-1]} (a program for another system or C library?)"
    return None
