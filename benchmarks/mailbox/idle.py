"""What a look at a mailbox costs in which nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from pymongo import monitoring

from benchmarks.mailbox import people
from benchmarks.queue.measure import Results, measured
from pipeline.config import settings
from pipeline.sandbox.client import SandboxClient
from pipeline.sync import engine

FOLDERS, MOST_CALLS = 20, 20
_USER, _SOURCE = "bench-idle", "microsoft_mail"
_WRITES = ("insert", "update", "delete", "findAndModify", "bulkWrite")
#: How far the copy has got, and the line that each sync has in the history.
_OF_ITSELF = ("sync_states", "sync_runs")


class Commands(monitoring.CommandListener):
    """Keeps what pymongo sends: the command, and the collection that it concerns."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append((event.command_name, str(event.command.get(event.command_name))))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not kept again."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not kept again."""

    def written(self) -> dict[str, int]:
        """Return how many writes went to which collection."""
        written: dict[str, int] = {}
        for name, where in self.sent:
            if name in _WRITES:
                written[where] = written.get(where, 0) + 1
        return written


def count_idle(sandbox: SandboxClient, commands: Commands) -> Results:
    """Sync a mailbox of FOLDERS folders again, and count what that asks of whom."""
    people.connect(sandbox, [_USER])
    for number in range(FOLDERS - len(sandbox.mail_folders(_USER))):
        sandbox.mail_folder_add(_USER, f"Folder {number}")
    for folder in sandbox.mail_folders(_USER):
        sandbox.mail_add(_USER, folder["id"], {"subject": "As ever"})
    for _ in range(2):  # the second learns what the first has caused
        engine.sync(_USER, _SOURCE, force=True)
    commands.sent.clear()
    with _counted_requests() as sent:
        report = engine.sync(_USER, _SOURCE, force=True)
    if report.outcome != "succeeded" or report.counts.changed:
        raise RuntimeError(f"the idle sync was none: {report.summary}")
    written = commands.written()
    of_itself = sum(written.pop(where, 0) for where in _OF_ITSELF)
    name = f"idle_sync_of_{FOLDERS}_folders"
    return {
        f"{name}_provider_calls": {"value": report.calls},
        f"{name}_http_requests": measured([len(sent)], at_most=MOST_CALLS),
        f"{name}_writes_of_state_and_history": {"value": of_itself},
        f"{name}_other_writes": measured([sum(written.values())], at_most=0)
        | ({"value": _in_words(written)} if written else {}),
    }


def _in_words(written: dict[str, int]) -> str:
    return ", ".join(f"{where}: {count}" for where, count in sorted(written.items()))


@contextmanager
def _counted_requests() -> Iterator[list[str]]:
    """Keep the paths of what is sent to Microsoft meanwhile, whoever sends it."""
    sent: list[str] = []
    send = requests.Session.send

    def counting(self: Any, request: requests.PreparedRequest, **options: Any) -> Any:
        if str(request.url).startswith(settings().microsoft_graph_base_url):
            sent.append(str(request.path_url))
        return send(self, request, **options)

    requests.Session.send = counting  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        requests.Session.send = send  # type: ignore[method-assign]
