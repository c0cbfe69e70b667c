"""The queue table and the jobs on it: the one place where their numbers stand."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import Misconfigured

HOUR = 3600.0
DAY = 24 * HOUR

#: What a limit or a pause may be about.  All but `queue` are arguments of the job:
#: the scope `user` of a job is its argument `user_id`, the scope `source` its `source`.
Scope = Literal["queue", "tenant", "user", "source", "mailbox", "connection", "sender"]


@dataclass(frozen=True, slots=True)
class StartLimit:
    """At most `starts` attempts begin in any `seconds`, for each value of `scope`."""

    scope: Scope
    starts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Keep:
    """How long history stays: the newest `count` jobs, none older than `seconds`."""

    count: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """How the jobs of one queue run.

    `attempts` includes the first.  `backoff_ms` is the wait before the second;
    it doubles with every further attempt unless `backoff` is fixed.  A lower
    `priority` runs first.  `concurrency` is how many of its jobs one worker
    process runs at a time; `one_per` lets only one at a time run anywhere for
    the same value of a scope.  `time_limit_ms` is a bound on one attempt.
    `own_workers`: give it worker processes of its own, by `-Q`.
    """

    name: str
    attempts: int
    backoff_ms: int
    priority: int
    concurrency: int
    keep_completed: Keep
    keep_failed: Keep
    backoff: Literal["exponential", "fixed"] = "exponential"
    one_per: Scope | None = None
    limits: tuple[StartLimit, ...] = ()
    time_limit_ms: int = 600_000
    own_workers: bool = False

    def backoff_before_ms(self, attempt: int) -> int:
        """Return the wait before `attempt`, which is 2 or more, without jitter."""
        doublings = 0 if self.backoff == "fixed" else attempt - 2
        return int(self.backoff_ms * 2**doublings)


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: an actor of the same name in `actors/`.

    `arguments` names what a message carries, in order.  `id` is the pattern of
    the job id: while a job with that id waits or runs, the same job is not
    queued again.  `rerun`: being asked for while it runs, it runs once more.
    """

    name: str
    queue: Queue
    arguments: tuple[str, ...] = ()
    id: str = ""
    rerun: bool = False

    @property
    def id_pattern(self) -> str:
        """Return `id`, or the name and all arguments where it is not given."""
        return self.id or ":".join([self.name, *(f"{{{name}}}" for name in self.arguments)])


_BRIEF = Keep(200, HOUR)
_FAILED_A_DAY = Keep(1000, DAY)

DATA_SYNC = Queue(
    "data-sync",
    attempts=3,
    backoff_ms=1000,
    priority=5,
    concurrency=3,
    keep_completed=Keep(100),
    keep_failed=Keep(500),
    limits=(StartLimit("user", 10, 60.0),),
)
GRAPH = Queue(
    "graph",
    attempts=5,
    backoff_ms=1000,
    priority=5,
    concurrency=4,
    keep_completed=Keep(100),
    keep_failed=Keep(500),
)
WEBHOOK_PROCESS = Queue(
    "webhook-process",
    attempts=3,
    backoff_ms=2000,
    priority=0,
    concurrency=10,
    keep_completed=Keep(100),
    keep_failed=Keep(50),
    own_workers=True,
)
WEBHOOK_RENEWAL = Queue(
    "webhook-renewal",
    attempts=3,
    backoff_ms=5000,
    priority=3,
    concurrency=1,
    keep_completed=_BRIEF,
    keep_failed=_FAILED_A_DAY,
)
DELTA_SYNC = Queue(
    "delta-sync",
    attempts=3,
    backoff_ms=5000,
    priority=5,
    concurrency=4,
    one_per="mailbox",
    keep_completed=_BRIEF,
    keep_failed=_FAILED_A_DAY,
)
PATTERN_ANALYSIS = Queue(
    "pattern-analysis",
    attempts=3,
    backoff_ms=5000,
    priority=9,
    concurrency=2,
    keep_completed=_BRIEF,
    keep_failed=_FAILED_A_DAY,
)
STAGING_PROCESSOR = Queue(
    "staging-processor",
    attempts=3,
    backoff_ms=5000,
    priority=4,
    concurrency=4,
    one_per="mailbox",
    keep_completed=_BRIEF,
    keep_failed=_FAILED_A_DAY,
)
TOKEN_REFRESH = Queue(
    "token-refresh",
    attempts=3,
    backoff_ms=5000,
    priority=2,
    concurrency=4,
    one_per="connection",
    keep_completed=_BRIEF,
    keep_failed=_FAILED_A_DAY,
)
OUTREACH_SEND = Queue(
    "outreach-send",
    attempts=3,
    backoff_ms=2000,
    priority=1,
    concurrency=3,
    keep_completed=Keep(100),
    keep_failed=Keep(50),
)
OUTREACH_TIMEOUT = Queue(
    "outreach-timeout",
    attempts=3,
    backoff_ms=2000,
    priority=2,
    concurrency=2,
    keep_completed=Keep(100),
    keep_failed=Keep(50),
)
AI_PROCESSING = Queue(
    "ai-processing",
    attempts=5,
    backoff_ms=2000,
    priority=5,
    concurrency=5,
    keep_completed=Keep(1000, DAY),
    keep_failed=Keep(5000, 7 * DAY),
    own_workers=True,
)
EMAIL = Queue(
    "email",
    attempts=3,
    backoff_ms=1000,
    priority=2,
    concurrency=10,
    keep_completed=Keep(500, 12 * HOUR),
    keep_failed=Keep(1000, 3 * DAY),
)
INDEXING = Queue(
    "indexing",
    attempts=3,
    backoff_ms=5000,
    backoff="fixed",
    priority=5,
    concurrency=20,
    keep_completed=Keep(2000, 6 * HOUR),
    keep_failed=Keep(5000, DAY),
)

QUEUES: dict[str, Queue] = {
    queue.name: queue
    for queue in (
        DATA_SYNC,
        GRAPH,
        WEBHOOK_PROCESS,
        WEBHOOK_RENEWAL,
        DELTA_SYNC,
        PATTERN_ANALYSIS,
        STAGING_PROCESSOR,
        TOKEN_REFRESH,
        OUTREACH_SEND,
        OUTREACH_TIMEOUT,
        AI_PROCESSING,
        EMAIL,
        INDEXING,
    )
}

JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("dispatch", DATA_SYNC),
        Job(
            "replay",
            DATA_SYNC,
            ("fingerprint", "letter_id", "tenant_id", "by"),
            id="replay:{tenant_id}:{fingerprint}:{letter_id}",
        ),
        Job("sync", DATA_SYNC, ("user_id", "source"), id="sync:{source}:{user_id}", rerun=True),
        # These two name nobody: they must not wait for a user who is paused, nor tell who it was.
        Job("disconnect", DATA_SYNC, ("connection_id",), rerun=True),
        Job("erase", DATA_SYNC, ("erasure_id",), rerun=True),
        Job("sweep", GRAPH),
        Job("advance_graph", GRAPH, ("user_id",), rerun=True),
        Job("dispatch_mailboxes", DELTA_SYNC),
        Job(
            "delta_sync",
            DELTA_SYNC,
            ("user_id", "source", "mailbox_id"),
            id="delta_sync:{source}:{user_id}",  # of which there is one mailbox
            rerun=True,
        ),
        Job("observe_mailbox", DELTA_SYNC, ("user_id", "mailbox_id"), rerun=True),
        Job("notification", WEBHOOK_PROCESS, ("subscription_id",), rerun=True),
        Job("renew_subscriptions", WEBHOOK_RENEWAL),
        Job("subscribe", WEBHOOK_RENEWAL, ("user_id", "source"), rerun=True),
        Job("process_staging", STAGING_PROCESSOR),
        Job("work_mailbox", STAGING_PROCESSOR, ("user_id", "mailbox_id"), rerun=True),
        Job("find_refreshes", TOKEN_REFRESH),
        Job("refresh_token", TOKEN_REFRESH, ("connection_id",)),
        Job("find_analyses", PATTERN_ANALYSIS),
        Job("analyze_patterns", PATTERN_ANALYSIS, ("user_id", "mailbox_id")),
        Job(
            "send_message", OUTREACH_SEND, ("action_id", "sender_id"), id="send_message:{action_id}"
        ),
        Job("promote_actions", OUTREACH_TIMEOUT),
        Job("pace_sender", OUTREACH_TIMEOUT, ("sender_id",), rerun=True),
        Job("fire_timeouts", OUTREACH_TIMEOUT, ("tenant_id", "beat"), rerun=True),
        Job("settle_campaign", OUTREACH_TIMEOUT, ("campaign_id",), rerun=True),
        Job("reconcile_messages", OUTREACH_TIMEOUT),
        Job("reconcile_message", OUTREACH_TIMEOUT, ("message_id",)),
        Job("find_replies", OUTREACH_TIMEOUT),
        Job("process_delivery", WEBHOOK_PROCESS, ("delivery_id",)),
        Job("sweep_deliveries", WEBHOOK_PROCESS),
        Job("find_ai", AI_PROCESSING),
        Job("run_ai", AI_PROCESSING, ("request_id",)),
        Job("find_emails", EMAIL),
        Job("send_email", EMAIL, ("delivery_id",)),
        Job("mail_notification", EMAIL, ("notification_id",)),
        Job("make_digest", EMAIL, ("user_id",)),
        Job("advance_search", INDEXING, ("user_id",), rerun=True),
        Job("rebuild_search", INDEXING, ("rebuild_id",)),
    )
}


def add(queue: Queue, *jobs: Job) -> None:
    """Add a queue and its jobs to the table, as benchmarks and chaos runs do."""
    QUEUES[queue.name] = queue
    JOBS.update((job.name, job) for job in jobs)


def job_named(name: str) -> Job:
    """Return the job called `name`; raises Misconfigured for one that is not in the table."""
    if name not in JOBS:
        raise Misconfigured(f"there is no job {name!r}; {_instead(name, JOBS)}")
    return JOBS[name]


def queue_named(name: str) -> Queue:
    """Return the queue called `name`; raises Misconfigured for one that is not in the table."""
    if name not in QUEUES:
        raise Misconfigured(f"there is no queue {name!r}; {_instead(name, QUEUES)}")
    return QUEUES[name]


def _instead(name: str, known: dict[str, Queue] | dict[str, Job]) -> str:
    alike = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {alike[0]!r}?" if alike else f"the table has {', '.join(known)}"
