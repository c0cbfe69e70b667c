"""Rescue and execute, started together for the same staged mail: exactly one may win."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from random import Random

from benchmarks.chaos.mailbox.cast import Player, sender_of
from benchmarks.chaos.mailbox.checking import Verdict
from benchmarks.chaos.scenes import until
from models import StagedEmail
from pipeline.errors import Permanent
from pipeline.mailbox import staging
from pipeline.mailbox.staging import Outcome
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection

_Act = Callable[[str, str, str], Outcome]
_FOLDER_OF = {"rescued": "inbox", "executed": "deleteditems"}
#: How much later one of the two may begin: about what the other needs to claim the mail.
_HEAD_START_SECONDS = 0.01


def race(verdict: Verdict, sandbox: SandboxClient, players: Sequence[Player], count: int) -> None:
    """Have `count` mails staged, let both run for each, and note what came of it."""
    if not count:
        return
    ids: list[tuple[Player, str]] = []
    for number, player in enumerate(islice(cycle(players), count)):
        address = {"emailAddress": {"name": "Race", "address": sender_of("trashed")}}
        message = {"subject": f"Race {number}", "from": address, "sender": address}
        ids.append((player, sandbox.mail_add(player.user, "inbox", message)))
    wanted = {"message_id": {"$in": [one for _, one in ids]}, "status": "staged"}
    until(lambda: collection(StagedEmail).count_documents(wanted) == count, "staging")
    rows = {row["message_id"]: row for row in collection(StagedEmail).find(wanted)}
    random = Random(verdict.seed)
    with ThreadPoolExecutor(2) as pool:
        for player, message_id in ids:
            won = _winners(pool, random, player.user, str(rows[message_id]["_id"]))
            verdict.races += 1
            verdict.won.update(won)
            if len(won) != 1:
                verdict.complaints.append(f"race: {' and '.join(won) or 'nobody'} won")
    until(lambda: not _open(rows), "the end of races")
    for player, message_id in ids:
        _compare(verdict, sandbox, player, message_id)


def _winners(pool: ThreadPoolExecutor, random: Random, user: str, staged_id: str) -> list[str]:
    together = threading.Barrier(2)

    def run(act: _Act, later_seconds: float) -> str:
        together.wait()
        time.sleep(later_seconds)
        try:
            act(user, staged_id, "race")
        except Permanent:
            return ""
        return act.__name__

    acts: tuple[_Act, _Act] = (staging.rescue, staging.execute_now)
    waits = random.sample([0.0, random.uniform(0, _HEAD_START_SECONDS)], 2)
    return [name for name in pool.map(run, acts, waits) if name]


def _open(rows: dict[str, Row]) -> int:
    wanted = {"_id": {"$in": [row["_id"] for row in rows.values()]}}
    over = {"status": {"$nin": list(_FOLDER_OF)}}
    return collection(StagedEmail).count_documents(wanted | over)


def _compare(verdict: Verdict, sandbox: SandboxClient, player: Player, message_id: str) -> None:
    row = collection(StagedEmail).find_one({"message_id": message_id}) or {}
    mail = sandbox.mail_message(player.user, message_id) or {}
    status = str(row.get("status"))
    if mail.get("parentFolderId") != player.folders[_FOLDER_OF.get(status, "inbox")]:
        verdict.complaints.append(f"race: the row says {status}, the mailbox does not")
