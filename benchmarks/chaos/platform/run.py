"""`headrace chaos platform`: one seed after the other, each with tenants of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chaos import killing, scenes
from benchmarks.chaos.mailbox import troupe
from benchmarks.chaos.platform import cast
from benchmarks.chaos.platform.checking import Verdict, check, unrest
from benchmarks.chaos.platform.plan import Plan
from benchmarks.chaos.platform.playing import play
from benchmarks.web.stage import Stage, stage
from pipeline.cli.output import console, number, table
from pipeline.sandbox.population import EMAIL_DOMAIN

Log = Callable[[str], None]

_REST_SECONDS = 180.0
_CRON = "*/2 * * * * *"
#: What an operator would not set so short: a run shall be over in minutes.
_SETTINGS = troupe.SETTINGS | {
    "CRON_AI": _CRON,
    "CRON_EMAIL": _CRON,
    "EMAIL_LEASE_SECONDS": "5",
    "EMAIL_FROM": f"headrace@{EMAIL_DOMAIN}",
    "PROVIDER_TIMEOUT_SECONDS": "3",
}


def play_all(plans: Sequence[Plan], log: Log, *, keep: bool) -> list[Verdict]:
    """Play the plans one after the other on one stage; `keep` its folder, with all logs."""
    with (
        scenes.workshop(_SETTINGS, log, keep=keep) as folder,
        stage(folder, log) as scene,
        troupe.running(folder, scenes.MORTAL_ACTORS),
    ):
        return [_play(plan, scene, folder, log) for plan in plans]


def _play(plan: Plan, scene: Stage, folder: Path, log: Log) -> Verdict:
    began, monotonic = time.time(), time.monotonic()
    sandbox = scene.sandbox
    log(f"seed {plan.seed}: {len(plan.acts)} acts and {plan.kills} kills in {plan.seconds:g} s")
    cast.connect_all(plan, sandbox)
    scenes.give_faults(plan.faults, plan.seed, sandbox)
    killing.Order(time.time(), plan.seconds, plan.kills).give(folder)
    play(plan, sandbox)
    killing.cancel(folder)
    sandbox.clear_faults()
    log("waiting until all is at rest")
    restless = _rest(plan)
    verdict = check(plan, sandbox)
    verdict.complaints[:0] = restless
    verdict.kills = sum(at > began for at, _ in killing.deaths(folder))
    verdict.places = len({place for _, place in killing.deaths(folder)})
    verdict.seconds = round(time.monotonic() - monotonic, 1)
    return verdict


def _rest(plan: Plan) -> list[str]:
    """Wait until all was synced, followed and answered; return what is not after a long time."""
    now = datetime.now(UTC)
    cast.sync_again(plan.people)

    def left() -> dict[str, int]:
        behind = {"sources behind": cast.unsynced(plan.people, now)}
        return {what: count for what, count in behind.items() if count} | unrest(plan)

    return scenes.rest(left, _REST_SECONDS)


def print_verdicts(verdicts: list[Verdict]) -> None:
    """Print a row per seed, and what did not hold."""
    columns = ("seed", "s", "records", "differences", "answered", "calls", "mails", "unknown")
    rows = [
        (
            str(one.seed),
            f"{one.seconds:g}",
            number(one.records),
            number(one.differences),
            number(one.requests["done"]),
            number(one.calls),
            number(one.mails["sent"]),
            number(one.mails["unknown"]),
            number(one.kills),
            "held" if one.passed else "FAILED",
        )
        for one in verdicts
    ]
    console().print(table("Platform", (*columns, "kills", "verdict"), rows))
    for one in verdicts:
        for complaint in one.examples():
            console().print(f"seed {one.seed}: {complaint}", markup=False)
    if verdicts:
        console().print(f"Workers have died at {verdicts[-1].places} different places.")
