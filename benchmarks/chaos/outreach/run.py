"""`headrace chaos outreach`: one seed after the other, each with tenants of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from benchmarks.chaos import killing
from benchmarks.chaos.mailbox import troupe
from benchmarks.chaos.outreach import cast, zones
from benchmarks.chaos.outreach.checking import Verdict, check, unrest
from benchmarks.chaos.outreach.plan import Plan
from benchmarks.chaos.outreach.playing import play
from benchmarks.web.stage import Stage, stage
from pipeline.cli.output import console, number, table
from pipeline.config import settings
from pipeline.sandbox.client import SandboxClient

Log = Callable[[str], None]

_REST_SECONDS = 240.0
_ZONES = "zones"
_ACTORS = "benchmarks.chaos.mortal"
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
    before = dict(os.environ)
    try:
        with _folder(keep=keep) as name:
            log(f"logs are in {name}")
            folder = Path(name)
            os.environ.update(_SETTINGS | {killing.FOLDER: name})
            zones.put_up(folder / _ZONES)
            for plan in plans:
                _write_zones(plan, folder)
            with stage(folder, log) as scene, troupe.running(folder, _ACTORS):
                return [_play(plan, scene, folder, log) for plan in plans]
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def _folder(*, keep: bool) -> AbstractContextManager[str]:
    if keep:
        return nullcontext(mkdtemp(prefix="headrace-chaos-"))
    return TemporaryDirectory(prefix="headrace-chaos-")


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
    _give_faults(plan, sandbox)
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

    try:
        cast.until(lambda: not left(), "rest", _REST_SECONDS)
    except TimeoutError:
        return [f"no rest: {count} {what}" for what, count in left().items()]
    return []


def _give_faults(plan: Plan, sandbox: SandboxClient) -> None:
    for fault in plan.faults:
        sandbox.fault(
            fault.kind,
            match={"api": fault.api},
            probability=fault.probability,
            times=None,
            params=dict(fault.params),
            seed=plan.seed,
        )


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
