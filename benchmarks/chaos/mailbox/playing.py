"""Playing a plan: mail arrives and is dealt with, and processes are killed, as it says."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.chaos.mailbox.cast import CATEGORY, Player, sender_of
from benchmarks.chaos.mailbox.plan import Arrival, Plan
from benchmarks.chaos.mailbox.troupe import Troupe
from pipeline.sandbox.client import SandboxClient, SandboxError

#: What a deed changes of a mail; the others move it.
_PATCHES: dict[str, dict[str, Any]] = {
    "read": {"isRead": True},
    "flag": {"flag": {"flagStatus": "flagged"}},
    "categorize": {"categories": [CATEGORY]},
}
_FOLDERS = {"move": "Kept", "delete": "deleteditems"}

#: Ids of the mails by arrival.
Played = dict[Arrival, str]


def play(plan: Plan, sandbox: SandboxClient, players: dict[str, Player], troupe: Troupe) -> Played:
    """Do all that `plan` says, at its times; return the mails' ids."""
    for fault in plan.faults:
        match = {} if fault.kind.startswith("push_") else {"api": "microsoft"}
        sandbox.fault(
            fault.kind, match=match, probability=fault.probability, times=None,
            params=dict(fault.params), seed=plan.seed,
        )  # fmt: skip
    mails: Played = {}
    began = time.monotonic()
    for at, arrival, deed in _in_order(plan):
        time.sleep(max(0.0, began + at - time.monotonic()))
        if arrival is None:
            troupe.kill_one(plan.seed, at)
        elif deed:
            _do(sandbox, players[arrival.user], mails[arrival], deed)
        else:
            mails[arrival] = sandbox.mail_add(arrival.user, "inbox", _message(arrival))
    sandbox.clear_faults()
    return mails


def _in_order(plan: Plan) -> list[tuple[float, Arrival | None, str]]:
    """Return (seconds, arrival, deed) of everything: no deed, it arrives; no arrival, a kill."""
    entries: list[tuple[float, Arrival | None, str]] = [
        (at, None, "") for at in plan.kills_at_seconds
    ]
    for arrival in plan.arrivals:
        entries.append((arrival.at_seconds, arrival, ""))
        entries += [(at, arrival, deed) for at, deed in arrival.deeds]
    # Stable: a mail arrives before anything is done to it.
    return sorted(entries, key=lambda entry: entry[0])


def _do(sandbox: SandboxClient, player: Player, message_id: str, deed: str) -> None:
    try:
        if deed in _PATCHES:
            sandbox.mail_patch(player.user, message_id, _PATCHES[deed])
        elif deed in _FOLDERS:
            sandbox.mail_move(player.user, message_id, player.folders[_FOLDERS[deed]])
        else:
            sandbox.mail_remove(player.user, message_id)
    except SandboxError:
        pass  # an earlier deed has purged it


def _message(arrival: Arrival) -> dict[str, object]:
    address = {"name": arrival.role, "address": sender_of(arrival.role)}
    return {
        "subject": arrival.subject,
        "from": {"emailAddress": address},
        "sender": {"emailAddress": address},
        "bodyPreview": "Chaos",
    }
