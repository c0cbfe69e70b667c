"""What must hold in the end, whatever went wrong on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.chaos.findings import Findings
from benchmarks.chaos.mailbox.cast import CATEGORY, SOURCE, Player
from benchmarks.chaos.mailbox.plan import Arrival, Plan
from benchmarks.chaos.mailbox.playing import Played
from models import EmailEvent, Execution, StagedEmail, SyncState
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection
from pipeline.verify import verify


@dataclass(slots=True, kw_only=True)
class Verdict(Findings):
    """What was found: complaints, and counts by what was counted."""

    mails: int = 0
    differences: int = 0
    executions: int = 0
    events: int = 0
    races: int = 0
    won: Counter[str] = field(default_factory=Counter)
    pushes: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        """Whether all held."""
        return not self.differences and not self.complaints


def at_rest(plan: Plan, since: datetime) -> bool:
    """Return whether all was synced after `since`, and nothing runs, lags or is left to do."""
    whose = {"user_id": {"$in": list(plan.users)}}
    lags: Row = {
        "$or": [
            {"$gt": ["$seq", "$projections.mailbox.seq"]},
            {"$gt": ["$seq", "$projections.graph.seq"]},
        ]
    }
    older = {"fresh_as_of": {"$not": {"$gt": since}}}
    busy = {"source": SOURCE, "$or": [{"status": {"$ne": "idle"}}, older, {"$expr": lags}]}
    open_rows = {"state": {"$in": ["pending", "executing"]}}
    return not (
        collection(SyncState).count_documents(whose | busy)
        or collection(Execution).count_documents(whose | open_rows)
    )


def check(
    plan: Plan, played: Played, sandbox: SandboxClient, players: dict[str, Player]
) -> Verdict:
    """Compare everything with the sandbox's truth and with the plan."""
    found = Verdict(seed=plan.seed, mails=len(played))
    for user in plan.users:
        verdict = verify(user, sandbox)
        found.differences += verdict.mongodb + verdict.graph
        found.complaints += [f"{user}: {example}" for example in verdict.examples]
    for arrival, message_id in played.items():
        problems = _Look(arrival, message_id, players[arrival.user], sandbox).problems()
        found.complaints += [f"{arrival.subject}: {problem}" for problem in problems]
    whose = {"user_id": {"$in": list(plan.users)}}
    found.executions = collection(Execution).count_documents(whose | {"kind": "rule"})
    found.events = collection(EmailEvent).count_documents(whose)
    return found


@dataclass(frozen=True, slots=True)
class _Look:
    """One mail: as it is at the sandbox, and what we have written of it."""

    arrival: Arrival
    message_id: str
    player: Player
    sandbox: SandboxClient

    def problems(self) -> list[str]:
        mail = self.sandbox.mail_message(self.player.user, self.message_id)
        events = list(collection(EmailEvent).find({"message_id": self.message_id}))
        rows = list(collection(Execution).find({"message_id": self.message_id, "kind": "rule"}))
        arrived = sum(event["event_type"] == "arrived" for event in events)
        if self.arrival.role == "other":
            # What came and went between two looks was never seen.
            return [*self._unruled(rows), *([f"arrived {arrived} times"] if arrived > 1 else [])]
        if mail is None:
            return ["it is gone from the mailbox"]
        found = [] if arrived == 1 else [f"arrived {arrived} times"]
        if len(rows) != 1 or rows[0]["state"] != "done":
            found.append(f"executions: {[row['state'] for row in rows]}, expected one, done")
        found += [
            f"{event['event_type']} counts as the user's own"
            for event in events
            if event["event_type"] != "arrived"
            and not event.get("metadata", {}).get("automated_by_rule")
        ]
        return found + self._undone(mail)

    def _unruled(self, rows: list[Row]) -> list[str]:
        return ["a rule ran that does not match"] if rows else []

    def _undone(self, mail: Row) -> list[str]:
        """Return what the rule should have done, and the mailbox does not show."""
        match self.arrival.role:
            case "filed":
                right = mail["parentFolderId"] == self.player.folders["Filed"]
            case "trashed":
                right = self._is_staged(mail)
            case "tidied":
                flagged = mail["flag"]["flagStatus"] == "flagged"
                right = mail["isRead"] and flagged and mail["categories"] == [CATEGORY]
            case _:
                right = self._forwards() == 1
        return [] if right else [f"not {self.arrival.role} as it should be"]

    def _is_staged(self, mail: Row) -> bool:
        row = collection(StagedEmail).find_one({"message_id": self.message_id})
        folder = {f["id"]: f["name"] for f in self.sandbox.mail_folders(self.player.user)}
        waits = folder.get(mail["parentFolderId"], "").endswith("Staging")
        return row is not None and row["status"] == "staged" and waits

    def _forwards(self) -> int:
        sent = self.sandbox.mail_messages(self.player.user, "sentitems")
        return sum(str(one["subject"]).endswith(self.arrival.subject) for one in sent)
