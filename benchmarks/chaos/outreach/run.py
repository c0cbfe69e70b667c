"""`headrace chaos outreach`: one seed after the other, each with tenants of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chaos import killing, scenes
from benchmarks.chaos.mailbox import troupe
from benchmarks.chaos.outreach import cast, zones
from benchmarks.chaos.outreach.checking import Verdict, check, unrest
from benchmarks.chaos.outreach.plan import Plan
from benchmarks.chaos.outreach.playing import play
from benchmarks.web.stage import Stage, stage
from pipeline.cli.output import console, number, table
from pipeline.sandbox.client import SandboxClient

Log = Callable[[str], None]

_REST_SECONDS = 240.0
_ZONES = "zones"
#: What an operator would not set so short: a run shall be over in minutes.
_SETTINGS = {
    "CRON_OUTREACH": "*/2 * * * * *",
    "LEASE_SECONDS": "4",
    "WORKER_TIMEOUT_SECONDS": "6",
    "SWEEP_SECONDS": "1",
    "REQUEUE_AFTER_SECONDS": "10",
    "PROVIDER_TIMEOUT_SECONDS": "3",
    "OUTREACH_RETRY_SECONDS": "3",
    "OUTREACH_SEND_LEASE_SECONDS": "5",
    "OUTREACH_PROMOTION_SECONDS": "10",
    "WORKER_METRICS_PORT": "0",
    "SCHEDULER_METRICS_PORT": "0",
}


def play_all(plans: Sequence[Plan], log: Log, *, keep: bool) -> list[Verdict]:
    """Play the plans one after the other on one stage; `keep` its folder, with all logs."""
    with scenes.workshop(_SETTINGS, log, keep=keep) as folder:
        zones.put_up(folder / _ZONES)
        for plan in plans:
            _write_zones(plan, folder)
        with stage(folder, log) as scene, troupe.running(folder, scenes.MORTAL_ACTORS):
            return [_play(plan, scene, folder, log) for plan in plans]


def _play(plan: Plan, scene: Stage, folder: Path, log: Log) -> Verdict:
    began, monotonic = time.time(), time.monotonic()
    sandbox = scene.sandbox
    sandbox.clear_outreach()
    sandbox.sendgrid_webhook(f"{scene.url}/webhooks/sendgrid/events")
    log(
        f"seed {plan.seed}: {plan.contacts} contacts in {len(plan.campaigns)} campaigns, "
        f"{plan.kills} kills in {plan.seconds:g} s"
    )
    players = cast.engage(plan, sandbox, _write_zones(plan, folder))
    scenes.give_faults(plan.faults, plan.seed, sandbox)
    killing.Order(time.time(), plan.seconds, plan.kills).give(folder)
    cast.begin(players)
    done = play(plan, players)
    killing.cancel(folder)
    sandbox.clear_faults()
    log("waiting until all is at rest")
    restless = _rest(players, sandbox)
    verdict = check(plan.seed, players, done, sandbox)
    verdict.complaints[:0] = restless
    places = {place: at for at, place in killing.deaths(folder)}
    verdict.kills = sum(at > began for at, _ in killing.deaths(folder))
    verdict.places = len(places)
    verdict.seconds = round(time.monotonic() - monotonic, 1)
    return verdict


def _write_zones(plan: Plan, folder: Path) -> dict[str, str]:
    return zones.write(folder / _ZONES, f"Chaos{plan.seed}", datetime.now(UTC))


def _rest(players: cast.Cast, sandbox: SandboxClient) -> list[str]:
    """Wait until nothing is on its way any more; return what still is after a long time."""

    def left() -> dict[str, int]:
        told = sandbox.outreach()
        waiting = {"acts due": told["acts_due"], "to be told": sum(told["waiting"].values())}
        return unrest(players) | {what: count for what, count in waiting.items() if count}

    return scenes.rest(left, _REST_SECONDS)


def print_verdicts(verdicts: list[Verdict]) -> None:
    """Print a row per seed, what is unknown, and what did not hold."""
    columns = ("seed", "s", "contacts", "received", "events", "transitions", "kills", "unknown")
    rows = [
        (
            str(one.seed),
            f"{one.seconds:g}",
            number(one.contacts),
            number(one.received),
            number(one.events),
            number(one.transitions),
            number(one.kills),
            number(len(one.unknown)),
            "held" if one.passed else "FAILED",
        )
        for one in verdicts
    ]
    console().print(table("Outreach", (*columns, "verdict"), rows))
    for one in verdicts:
        for line in one.unknown:
            console().print(f"seed {one.seed}: unknown: {line}", markup=False)
        for complaint in one.examples():
            console().print(f"seed {one.seed}: {complaint}", markup=False)
    if verdicts:
        console().print(f"Workers have died at {verdicts[-1].places} different places.")
