"""`headrace chaos mailbox`: one seed after the other, each with mailboxes of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.chaos.mailbox import cast, troupe
from benchmarks.chaos.mailbox.checking import Verdict, at_rest, check
from benchmarks.chaos.mailbox.plan import Plan
from benchmarks.chaos.mailbox.playing import play
from benchmarks.chaos.mailbox.races import race
from benchmarks.chaos.scenes import until
from benchmarks.web.stage import stage
from pipeline.cli.output import console, number, table
from pipeline.config import settings
from pipeline.sandbox.client import SandboxClient
from pipeline.sync import states

Log = Callable[[str], None]

_REST_SECONDS = 180.0
_EPOCH = datetime.fromtimestamp(0, UTC)


def play_all(plans: Sequence[Plan], races: int, log: Log) -> list[Verdict]:
    """Play the plans one after the other on one stage, each with mailboxes of its own."""
    before = dict(os.environ)
    os.environ.update(troupe.SETTINGS)
    try:
        with TemporaryDirectory(prefix="headrace-chaos-") as folder:
            path = Path(folder)
            with stage(path, log) as scene, troupe.running(path) as company:
                return [_play(plan, scene.sandbox, company, races, log) for plan in plans]
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def _play(
    plan: Plan, sandbox: SandboxClient, company: troupe.Troupe, races: int, log: Log
) -> Verdict:
    began, killed = time.monotonic(), company.killed
    sandbox.clear_pushes()
    kills = len(plan.kills_at_seconds)
    log(
        f"seed {plan.seed}: {len(plan.users)} mailboxes, {len(plan.arrivals)} mails and "
        f"{kills} kills in {plan.seconds:g} s"
    )
    players = {player.user: player for player in cast.connect_all(sandbox, plan.users)}
    played = play(plan, sandbox, players, company)
    log("waiting until all is at rest")
    sandbox.wait_until_quiet(_REST_SECONDS)
    # What rules do comes back as changes, whose notifications are not lost any more.
    until(lambda: at_rest(plan, _EPOCH), "the end of all acts", seconds=_REST_SECONDS)
    now = datetime.now(UTC)
    for user in plan.users:
        # What was lost is found by the next look; nobody waits for its hour here.
        states.request(user, cast.SOURCE)
    until(lambda: at_rest(plan, now), "rest", seconds=_REST_SECONDS)
    verdict = check(plan, played, sandbox, players)
    log(f"{races} races of rescue and execute")
    race(verdict, sandbox, list(players.values()), races)
    verdict.kills = company.killed - killed
    verdict.pushes.update(sandbox.pushes()["outcomes"])
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


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
