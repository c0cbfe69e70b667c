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
JOBS = Counter("headrace_jobs_total", "Job attempts that ended.", ["queue", "job", "outcome"])
JOB_SECONDS = Histogram(
    "headrace_job_run_seconds",
    "How long job attempts ran.",
    ["queue", "job"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600),
)
JOB_WAIT_SECONDS = Histogram(
    "headrace_job_wait_seconds",
    "How long jobs waited from enqueueing to their first attempt.",
    ["queue"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600),
)


class Fleet(NamedTuple):
    """What the scheduler says about all users: read from the stores when Prometheus asks."""

    kind: str
    help: str
    labels: tuple[str, ...]


FLEET = {
    "headrace_queue_jobs": Fleet("gauge", "Jobs by state.", ("queue", "state")),
    "headrace_queue_oldest_seconds": Fleet("gauge", "Age of the longest waiting job.", ("queue",)),
    "headrace_freshness_seconds": Fleet(
        "histogram",
        "Age of each user's copy; users never synced count as infinitely old.",
        ("source",),
    ),
    "headrace_fresh_share": Fleet(
        "gauge", "Share of users within the freshness target.", ("source",)
    ),
    "headrace_users": Fleet("gauge", "Users by sync status.", ("source", "status")),
    "headrace_live_records": Fleet("gauge", "Records that are not deleted.", ("source",)),
    "headrace_projection_lag_records": Fleet(
        "gauge", "Landed changes that the projection has not seen.", ("projection", "source")
    ),
    "headrace_connections": Fleet("gauge", "Connections by status.", ("provider", "status")),
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
            rows.append((name, family.type, labels, "worker", family.documentation))
    for name, fleet in FLEET.items():
        rows.append((name, fleet.kind, ", ".join(fleet.labels), "scheduler", fleet.help))
    return rows
