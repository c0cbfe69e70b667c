"""From a new mail at Microsoft to what a rule does with it: pushed, stored, evaluated, acted on.

Every mailbox gets one mail, each when its time has come, whether those before were acted on or
not, and is timed from then; so who falls behind looks as slow as it is.  Acting moves the mail,
of which we are told too: that is part of the load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.mailbox import people
from benchmarks.queue.measure import Results, percentile, rounded
from benchmarks.web.stage import Stage
from models import EmailEvent, Execution, Mailbox, SyncState
from pipeline.dispatch import send
from pipeline.mailbox import rules
from pipeline.stores import collection

P95_SECONDS = 2.0
_SOURCE, _SENDER = "microsoft_mail", "news@bench.example"
_LOOK_SECONDS = 0.05
_SETUP_SECONDS, _PATIENCE_SECONDS = 1800.0, 120.0
_TICK_SECONDS = 5.0


@dataclass(slots=True)
class Run:
    """When the mail of which user came, by its id, and when what was done with it."""

    users: dict[str, str] = field(default_factory=dict)
    came_at: dict[str, float] = field(default_factory=dict)
    acted_at: dict[str, float] = field(default_factory=dict)

    @property
    def waiting(self) -> list[str]:
        """The mails that were not acted on yet."""
        return [message_id for message_id in self.came_at if message_id not in self.acted_at]

    def look(self) -> None:
        """Note what was done since the last look."""
        wanted = {"message_id": {"$in": self.waiting}, "kind": "rule", "state": "done"}
        done = collection(Execution).find(wanted, {"message_id": 1})
        now = time.time()
        for row in done:
            self.acted_at.setdefault(row["message_id"], now)


def time_pushes(stage: Stage, mailboxes: int, per_second: float) -> Results:
    """Have one mail arrive in each of so many mailboxes, `per_second`, and wait until each was
    archived, as a rule of each mailbox says."""
    users = [f"mail-{number:05}" for number in range(mailboxes)]
    people.connect(stage.sandbox, users)
    with stage.workers():
        stage.log("waiting for first syncs and subscriptions")
        _until(lambda: _are_watched(mailboxes), _SETUP_SECONDS, _tick)
        _have_rules()
        stage.log(f"a mail in each of {mailboxes:,} mailboxes, {per_second:g} a second")
        run = _send(stage, users, per_second)
        _until(lambda: not run.waiting, _PATIENCE_SECONDS, run.look)
    _check(stage, run)
    return _rows(run, per_second)


def _tick() -> None:
    """Do what the scheduler would, more often."""
    for job in ("dispatch_mailboxes", "renew_subscriptions"):
        send(job)
    time.sleep(_TICK_SECONDS)


def _are_watched(mailboxes: int) -> bool:
    ready = {
        "source": _SOURCE,
        "fresh_as_of": {"$gt": datetime.fromtimestamp(0, UTC)},
        "live_push_until": {"$gt": datetime.now(UTC)},
        "projections.mailbox.due_at": None,
    }
    return collection(SyncState).count_documents(ready) >= mailboxes


def _have_rules() -> None:
    for mailbox in collection(Mailbox).find({}):
        rules.create(
            mailbox["user_id"],
            mailbox["_id"],
            name="Archive the news",
            conditions={"sender_email": [_SENDER]},
            actions=[{"action_type": "archive", "order": 0}],
            by="bench",
        )


def _send(stage: Stage, users: Iterable[str], per_second: float) -> Run:
    run = Run()
    begun = time.time()
    address = {"emailAddress": {"name": "News", "address": _SENDER}}
    for number, user in enumerate(users):
        due = begun + number / per_second
        while (left := due - time.time()) > 0:
            run.look()
            time.sleep(min(left, _LOOK_SECONDS))
        mail = {"subject": "What is new", "from": address, "sender": address}
        message_id = stage.sandbox.mail_add(user, "inbox", mail)
        run.users[message_id] = user
        run.came_at[message_id] = due
    return run


def _until(done: Callable[[], bool], seconds: float, meanwhile: Callable[[], None]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long; see the logs in the folder of this run")
        meanwhile()
        time.sleep(_LOOK_SECONDS)


def _check(stage: Stage, run: Run) -> None:
    """Raise RuntimeError for mail that is not where its rule puts it, by Microsoft's account."""
    for message_id, user in run.users.items():
        [archive] = [f for f in stage.sandbox.mail_folders(user) if f["well_known"] == "archive"]
        message = stage.sandbox.mail_message(user, message_id)
        if message is None or message["parentFolderId"] != archive["id"]:
            raise RuntimeError("a mail that counts as archived is not in the archive")


def _rows(run: Run, per_second: float) -> Results:
    arrived = collection(EmailEvent).find(
        {"message_id": {"$in": list(run.came_at)}, "event_type": "arrived"},
        {"message_id": 1, "created_at": 1},
    )
    seen = sorted(row["created_at"].timestamp() - run.came_at[row["message_id"]] for row in arrived)
    acted = sorted(at - run.came_at[one] for one, at in run.acted_at.items())
    rate = f"at_{per_second:g}_per_s"
    goal = {"target": f"below {P95_SECONDS:g}", "met": percentile(acted, 0.95) < P95_SECONDS}
    return {
        f"push_to_evaluated_p50_s_{rate}": {"value": rounded(percentile(seen, 0.5), 2)},
        f"push_to_evaluated_p95_s_{rate}": {"value": rounded(percentile(seen, 0.95), 2)},
        f"push_to_acted_p50_s_{rate}": {"value": rounded(percentile(acted, 0.5), 2)},
        f"push_to_acted_p95_s_{rate}": {"value": rounded(percentile(acted, 0.95), 2)} | goal,
        f"push_to_acted_worst_s_{rate}": {"value": rounded(acted[-1], 2)},
    }
