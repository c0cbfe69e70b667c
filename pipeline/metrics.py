"""Every Prometheus metric of Headrace, in one place.  No label ever holds a user."""

from typing import NamedTuple

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

SYNCS = Counter("headrace_syncs_total", "Syncs that ended, by outcome.", ["source", "outcome"])
SYNC_SECONDS = Histogram(
    "headrace_sync_seconds",
    "How long a sync took.",
    ["source"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)
RECORDS = Counter(
    "headrace_records_total",
    "Records written, by operation: created, updated, deleted, rejected.",
    ["source", "operation"],
)
PROVIDER_CALLS = Counter(
    "headrace_provider_calls_total",
    "Calls to providers, by method and HTTP status (0: no answer).",
    ["provider", "method", "code"],
)
PROVIDER_SECONDS = Histogram(
    "headrace_provider_call_seconds", "How long provider calls took.", ["provider", "method"]
)
QUOTA_UNITS = Counter(
    "headrace_quota_units_total", "Quota units that the ledger gave out.", ["profile"]
)
QUOTA_REFUSALS = Counter(
    "headrace_quota_refusals_total",
    "Calls that had to wait longer than a thread may block, by the level that was empty.",
    ["profile", "level"],
)
PROJECTED = Counter(
    "headrace_projected_records_total", "Records written to a projection.", ["projection", "source"]
)
PROJECTION_FAILURES = Counter(
    "headrace_projection_failures_total", "Advances of a projection that failed.", ["projection"]
)
MAIL_EXECUTIONS = Counter(
    "headrace_mail_executions_total",
    "What was done to mail, by kind (rule, run_now, execute, rescue, undo) and how it ended.",
    ["kind", "state"],
)
OUTREACH_MESSAGES = Counter(
    "headrace_outreach_messages_total",
    "What became of messages: sent, retried, rate_limited, misconfigured, failed, canceled, "
    "unknown, and of unknown ones found, absent.",
    ["channel", "provider", "outcome"],
)
OUTREACH_LATE_SECONDS = Histogram(
    "headrace_outreach_send_late_seconds",
    "How long after they were due messages were handed to their provider.",
    ["channel"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
OUTREACH_EVENTS = Counter(
    "headrace_outreach_events_total", "Events of messages that were recorded.", ["provider", "type"]
)
OUTREACH_VISITS = Counter(
    "headrace_outreach_visits_total",
    "Visits by links in messages, by link (unsubscribe, open, click) and outcome: shown, done, "
    "noted, lost, unknown, limited, unavailable.",
    ["link", "outcome"],
)
OUTREACH_BUDGET_REFUSALS = Counter(
    "headrace_outreach_budget_refusals_total",
    "Messages that had to wait for a limit: sender_minute, sender_hour, sender_day, tenant, "
    "domain, total.",
    ["level"],
)
AI_REQUESTS = Counter(
    "headrace_ai_requests_total",
    "What became of attempts to answer a request: done, retried, rate_limited, failed, replaced.",
    ["type", "outcome"],
)
AI_SECONDS = Histogram(
    "headrace_ai_seconds",
    "How long it took until a request was answered, by who answered: local, openai, fallback.",
    ["type", "provider"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
AI_TOKENS = Counter(
    "headrace_ai_tokens_total",
    "Tokens of requests that were answered, by direction: in, out, and cached ones among in.",
    ["provider", "direction"],
)
AI_QUOTA_REFUSALS = Counter(
    "headrace_ai_quota_refusals_total",
    "Times that a request had to wait for a quota of its tenant: requests_minute, requests_day, "
    "tokens_minute, tokens_day.",
    ["quota"],
)
EMAILS = Counter(
    "headrace_emails_total",
    "What became of mail to users, each time it was tried: sent, deferred, skipped, failed, "
    "unknown.",
    ["template", "outcome"],
)
JOBS_ENQUEUED = Counter(
    "headrace_jobs_enqueued_total",
    "Jobs that were sent, by result: created, or duplicate of one that waits, is delayed or runs.",
    ["queue", "job", "result"],
)
JOBS = Counter(
    "headrace_jobs_total",
    "Job attempts that ended, by outcome: completed, retried, deferred, failed, handed_back.",
    ["queue", "job", "outcome"],
)
JOB_SECONDS = Histogram(
    "headrace_job_run_seconds",
    "How long job attempts ran.",
    ["queue", "job"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600),
)
JOB_WAIT_SECONDS = Histogram(
    "headrace_job_wait_seconds",
    "How long jobs that were due waited for each attempt.",
    ["queue"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600),
)
JOB_ATTEMPTS = Histogram(
    "headrace_job_attempts",
    "Attempts that a job had had when it ended for good.",
    ["queue"],
    buckets=(1, 2, 3, 4, 5),
)
JOB_DEFERRALS = Counter(
    "headrace_job_deferrals_total",
    "Times a job was put off without spending an attempt, by reason.",
    ["queue", "reason"],
)
RATE_LIMIT_HITS = Counter(
    "headrace_rate_limit_hits_total",
    "Times that jobs had to wait for a start limit of their queue, by its scope.",
    ["queue", "scope"],
)
DEAD_LETTERS = Counter(
    "headrace_dead_letters_total",
    "Jobs that failed for good and were set aside for a person, by reason.",
    ["queue", "reason"],
)
JOBS_RECOVERED = Counter(
    "headrace_jobs_recovered_total",
    "Running jobs taken from silent workers, by outcome: recovered, killed_worker, cancelled.",
    ["queue", "outcome"],
)
JOBS_FENCED = Counter(
    "headrace_jobs_fenced_total",
    "Attempts that ended after their worker had been taken for dead; what came of them is ignored.",
    ["queue"],
)
JOB_RECOVERY_SECONDS = Histogram(
    "headrace_job_recovery_seconds",
    "How long after its worker's last sign of life a job was taken back.",
    buckets=(1, 5, 10, 20, 30, 45, 60, 75, 90, 120, 300),
)
API_REFUSALS = Counter(
    "headrace_api_refusals_total",
    "API requests refused for their token: none, unknown, revoked, expired, scope, rate.",
    ["reason"],
)
WEB_REFUSED = Counter(
    "headrace_web_refused_total",
    "Requests that the web refused: signed_out, foreign_origin, csrf, too_large, uncertain.",
    ["reason"],
)
WEB_SIGN_INS = Counter(
    "headrace_web_sign_ins_total",
    "Attempts to sign in, by outcome: signed_in, wrong, limited, no_role, disabled, failed.",
    ["method", "outcome"],
)
WEBHOOKS = Counter(
    "headrace_webhooks_total",
    "Notifications of providers, by outcome: accepted, duplicate, confirmed, stale, unknown, "
    "forged, malformed, validated, oversized, overloaded, unavailable, misconfigured.",
    ["provider", "source", "outcome"],
)
WEBHOOK_SECONDS = Histogram(
    "headrace_webhook_seconds",
    "How long it took until a notification was answered.",
    ["source"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SUBSCRIPTION_SILENCES = Counter(
    "headrace_subscription_silences_total",
    "Syncs because a subscription was quiet for longer than its rate makes likely.",
    ["source"],
)
SUBSCRIPTION_GAPS = Counter(
    "headrace_subscription_gaps_total",
    "Subscriptions that were replaced, because a sync found changes that had not been pushed.",
    ["source"],
)

CONNECTS = Counter(
    "headrace_connects_total",
    "Visits to connect an account that ended, by how: connected, partly, denied, link_expired …",
    ["provider", "outcome"],
)

#: Who says what, where it is not the workers alone.
_PROCESSES: dict[MetricWrapperBase, str] = {
    JOBS_ENQUEUED: "worker, scheduler, web",
    JOBS_RECOVERED: "worker, scheduler",
    JOB_RECOVERY_SECONDS: "worker, scheduler",
    **dict.fromkeys((API_REFUSALS, WEB_REFUSED, WEB_SIGN_INS, CONNECTS), "web"),
    **dict.fromkeys((WEBHOOKS, WEBHOOK_SECONDS, OUTREACH_VISITS), "web"),
    OUTREACH_EVENTS: "worker, web",
}


class Fleet(NamedTuple):
    """What the scheduler says about all users: read from the stores when Prometheus asks."""

    kind: str
    help: str
    labels: tuple[str, ...]


FLEET = {
    "headrace_queue_jobs": Fleet(
        "gauge",
        "Jobs by state: waiting, running, delayed, failed (as far as history keeps them).",
        ("queue", "state"),
    ),
    "headrace_queue_oldest_seconds": Fleet("gauge", "Age of the longest waiting job.", ("queue",)),
    "headrace_queue_paused": Fleet("gauge", "Whether the queue is paused.", ("queue",)),
    "headrace_queue_workers": Fleet(
        "gauge", "Worker processes that live and take jobs of the queue.", ("queue",)
    ),
    "headrace_dead_letters_open": Fleet(
        "gauge", "Dead letters that nobody has acted on yet.", ("queue",)
    ),
    "headrace_scope_pauses": Fleet(
        "gauge", "Pauses in force, by what they hold: queue, source, tenant, user …", ("scope",)
    ),
    "headrace_freshness_seconds": Fleet(
        "histogram",
        "Age of each user's copy; users never synced count as infinitely old.",
        ("source",),
    ),
    "headrace_fresh_share": Fleet(
        "gauge",
        "Share of users within target: fresh as of the target ago, or as their cadence promises.",
        ("source",),
    ),
    "headrace_users": Fleet("gauge", "Users by sync status.", ("source", "status")),
    "headrace_live_records": Fleet("gauge", "Records that are not deleted.", ("source",)),
    "headrace_projection_lag_records": Fleet(
        "gauge", "Landed changes that the projection has not seen.", ("projection", "source")
    ),
    "headrace_connections": Fleet("gauge", "Connections by status.", ("provider", "status")),
    "headrace_subscriptions": Fleet("gauge", "Push subscriptions by status.", ("source", "status")),
    "headrace_subscriptions_ending": Fleet(
        "gauge", "Active push subscriptions that end within 4 hours: not renewed.", ("source",)
    ),
    "headrace_outreach_unknown_messages": Fleet(
        "gauge",
        "Messages of which it is not known whether they were sent: looked_up, or for a person.",
        ("waits_for",),
    ),
    "headrace_store_up": Fleet(
        "gauge", "Whether the store answered the last question.", ("store",)
    ),
}


def documented() -> list[tuple[str, str, str, str, str]]:
    """Return name, type, labels, process and meaning of every metric."""
    rows = []
    for wrapper in globals().values():
        if isinstance(wrapper, MetricWrapperBase):
            [family] = wrapper.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(wrapper._labelnames)
            process = _PROCESSES.get(wrapper, "worker")
            rows.append((name, family.type, labels, process, family.documentation))
    for name, fleet in FLEET.items():
        rows.append((name, fleet.kind, ", ".join(fleet.labels), "scheduler", fleet.help))
    return rows
