"""Workers that die between two side effects, sooner where nobody has died before.

A side effect is what others can see: a write in MongoDB, a call of a provider, a job that is
queued.  The place is the pair of the one that was just made and the one that comes next.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import requests
from pymongo import monitoring

from pipeline.jobs import sending
from pipeline.jobs.current import current

#: The folder of a run's order and of the places at which somebody has died.
FOLDER = "CHAOS_FOLDER"
#: A place kills with this chance on each pass: most would die on the same path otherwise.
_CHANCE = 0.3
#: The same around a call of a provider, which others pass less often, and matters most.
_CHANCE_AT_CALL = 0.9
_CALLS = ("call", "mail")
#: The same where somebody has died before.
_CHANCE_AGAIN = 0.01
_WRITES = frozenset({"insert", "update", "delete", "findAndModify", "commitTransaction"})
_START = "start"


@dataclass(frozen=True, slots=True)
class Order:
    """How many may die from `begin` (seconds since the epoch) on, evenly over `seconds`."""

    begin: float
    seconds: float
    most: int

    def give(self, folder: Path) -> None:
        """Have the workers of `folder` follow this order."""
        _order_in(folder).write_text(json.dumps(asdict(self)))

    @classmethod
    def given(cls, folder: Path) -> Order | None:
        """Return the order that holds, if one does."""
        try:
            return cls(**json.loads(_order_in(folder).read_text()))
        except (OSError, ValueError):
            return None

    def allowed(self, now: float) -> float:
        """Return how many may have died by `now`."""
        share = (now - self.begin) / self.seconds
        return self.most * share if 0 < share < 1 else 0


def cancel(folder: Path) -> None:
    """Have nobody die any more."""
    _order_in(folder).unlink(missing_ok=True)


def deaths(folder: Path) -> list[tuple[float, str]]:
    """Return when and where somebody has died, in order."""
    path = _deaths_in(folder)
    lines = path.read_text().splitlines() if path.exists() else []
    return [(float(at), place) for at, _, place in (line.partition(" ") for line in lines)]


def _order_in(folder: Path) -> Path:
    return folder / "order.json"


def _deaths_in(folder: Path) -> Path:
    return folder / "deaths"


class Killer:
    """Watches what the jobs of this process do, and ends it at places that were not tried yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._random = Random(os.getpid())
        self._last = threading.local()
        self._lock = threading.Lock()

    def before(self, effect: str) -> None:
        """Die here, perhaps: `effect` is about to happen."""
        job = current()
        if job is None:
            return
        message_id, last = getattr(self._last, "made", ("", _START))
        kind = job.job_id.partition(":")[0]
        place = f"{kind}: {last if message_id == job.message_id else _START} > {effect}"
        limit = _CHANCE_AT_CALL if effect in _CALLS or last in _CALLS else _CHANCE
        with self._lock:
            chance = self._random.random()
            if chance < limit and self._may_die(place, chance):
                self._die(place)

    def after(self, effect: str) -> None:
        """Remember that `effect` has happened."""
        job = current()
        if job is not None:
            self._last.made = (job.message_id, effect)

    def around(self, effect: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call` as the side effect `effect`."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.before(effect)
            answer = call(*args, **kwargs)
            self.after(effect)
            return answer

        return watched

    def _may_die(self, place: str, chance: float) -> bool:
        order = Order.given(self._folder)
        if order is None:
            return False
        all_deaths = deaths(self._folder)
        lately = sum(at >= order.begin for at, _ in all_deaths)
        is_known = any(place == known for _, known in all_deaths)
        return lately < order.allowed(time.time()) and (not is_known or chance < _CHANCE_AGAIN)

    def _die(self, place: str) -> None:
        with _deaths_in(self._folder).open("a") as file:
            file.write(f"{time.time():.3f} {place}\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


class _Writes(monitoring.CommandListener):
    """Tells of writes, before they leave and after they are answered."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer
        self._effects: dict[int, str] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """A command is about to leave."""
        if event.command_name not in _WRITES:
            return
        about = event.command.get(event.command_name)
        effect = f"{event.command_name} {about}" if isinstance(about, str) else event.command_name
        self._effects[event.request_id] = effect
        self._killer.before(effect)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """It was answered."""
        effect = self._effects.pop(event.request_id, None)
        if effect is not None:
            self._killer.after(effect)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """It was not."""
        self._effects.pop(event.request_id, None)


def arm() -> None:
    """Make this process mortal.  Before any client of MongoDB is made."""
    killer = Killer(Path(os.environ[FOLDER]))
    monitoring.register(_Writes(killer))
    adapter: Any = requests.adapters.HTTPAdapter
    adapter.send = killer.around("call", adapter.send)
    smtp: Any = smtplib.SMTP
    smtp.data = killer.around("mail", smtp.data)
    sending.enqueue = killer.around("enqueue", sending.enqueue)
