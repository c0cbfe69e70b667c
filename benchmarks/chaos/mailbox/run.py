"""`headrace chaos mailbox`: one seed after the other, each on a stage of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.chaos.mailbox import cast, troupe
from benchmarks.chaos.mailbox.checking import Verdict, at_rest, check
from benchmarks.chaos.mailbox.plan import Plan
from benchmarks.chaos.mailbox.playing import play
from benchmarks.chaos.mailbox.races import race
from benchmarks.web.stage import stage
from pipeline.cli.output import console, number, table
from pipeline.config import settings
from pipeline.dispatch import send
from pipeline.sync import states

Log = Callable[[str], None]


def play_one(plan: Plan, races: int, log: Log) -> Verdict:
    """Play the plan of a seed and return what was found."""
    before = dict(os.environ)
    os.environ.update(troupe.SETTINGS)
    try:
        with TemporaryDirectory(prefix="headrace-chaos-") as folder:
            return _on_stage(plan, Path(folder), races, log)
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def _on_stage(plan: Plan, folder: Path, races: int, log: Log) -> Verdict:
    began = time.monotonic()
    with stage(folder, log) as scene, troupe.running(folder) as company:
        log(f"connecting {len(plan.users)} mailboxes")
        players = {player.user: player for player in cast.connect_all(scene.sandbox, plan.users)}
        kills = len(plan.kills_at_seconds)
        log(f"{len(plan.arrivals)} mails and {kills} kills in {plan.seconds:g} s")
        played = play(plan, scene.sandbox, players, company)
        log("waiting until all is at rest")
        for user in plan.users:
            # What was lost is found by the next look; nobody waits for its hour here.
            states.request(user, cast.SOURCE)
        send("dispatch_mailboxes")
        scene.sandbox.wait_until_quiet(120)
        cast.until(lambda: at_rest(plan), "rest", seconds=180)
        verdict = check(plan, played, scene.sandbox, players)
        log(f"{races} races of rescue and execute")
        race(verdict, scene.sandbox, list(players.values()), races)
        verdict.kills = company.killed
        verdict.pushes.update(scene.sandbox.pushes()["outcomes"])
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


def as_document(verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the verdicts as JSON."""
    return {"seeds": [asdict(verdict) | {"passed": verdict.passed} for verdict in verdicts]}


def print_verdicts(verdicts: list[Verdict]) -> None:
    """Print a row per seed, and what did not hold."""
    columns = ("seed", "s", "mails", "kills", "pushes lost", "executions", "differences")
    rows = [
        (
            str(one.seed),
            f"{one.seconds:g}",
            number(one.mails),
            number(one.kills),
            number(one.pushes["lost"]),
            number(one.executions),
            number(one.differences),
            f"{one.races}: {one.won['rescue']} rescued, {one.won['execute_now']} executed",
            "held" if one.passed else "FAILED",
        )
        for one in verdicts
    ]
    console().print(table("Mailboxes", (*columns, "races", "verdict"), rows))
    for one in verdicts:
        for complaint in one.examples():
            console().print(f"seed {one.seed}: {complaint}", markup=False)
