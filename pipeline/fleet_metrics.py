"""What only one process needs to say: queues, freshness, lag.  Served by the scheduler."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from pipeline.config import settings
from pipeline.dead_letters import open_by_queue
from pipeline.errors import HeadraceError
from pipeline.freshness import (
    AGE_BUCKETS,
    SourceFreshness,
    by_source,
    connections_by_status,
    subscriptions_by_status,
    subscriptions_ending,
)
from pipeline.jobs.controls import pauses
from pipeline.jobs.reading import depths
from pipeline.jobs.workers import serving, workers
from pipeline.metrics import FLEET
from pipeline.outreach.sending.reconciling import unknown_messages
from pipeline.queues import QUEUES

log = logging.getLogger(__name__)

#: The aggregations read every sync state; more often than this would be waste.
FRESHNESS_SAMPLE_SECONDS = 15.0
_STATES = ("waiting", "running", "delayed", "failed")


class FleetCollector(Collector):
    """Reads the stores when Prometheus asks; a store that is down is said to be so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sampled_at = 0.0
        self._sources: list[SourceFreshness] = []
        self._connections: dict[tuple[str, str], int] = {}
        self._subscriptions: dict[tuple[str, str], int] = {}
        self._ending: dict[tuple[str, ...], int] = {}
        self._unknown: dict[tuple[str, ...], int] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of queues and sources, and whether each store answered."""
        up = _gauge("headrace_store_up")
        try:
            yield from _queue_metrics()
            yield from _pause_metrics()
            yield _worker_metric()
            up.add_metric(["redis"], 1)
        except RedisError:
            up.add_metric(["redis"], 0)
        try:
            with self._lock:
                self._sample()
            yield from _freshness_metrics(self._sources)
            yield _by_labels("headrace_connections", self._connections)
            yield _by_labels("headrace_subscriptions", self._subscriptions)
            yield _by_labels("headrace_subscriptions_ending", self._ending)
            yield _by_labels("headrace_outreach_unknown_messages", self._unknown)
            yield _dead_letter_metric()
            up.add_metric(["mongodb"], 1)
        except (PyMongoError, HeadraceError):
            up.add_metric(["mongodb"], 0)
        yield up

    def _sample(self) -> None:
        if time.monotonic() - self._sampled_at < FRESHNESS_SAMPLE_SECONDS:
            return
        now = datetime.now(UTC)
        self._sources = by_source(now)
        self._connections = connections_by_status()
        self._subscriptions = subscriptions_by_status()
        self._ending = subscriptions_ending(now)
        self._unknown = unknown_messages()
        self._sampled_at = time.monotonic()


def _gauge(name: str) -> GaugeMetricFamily:
    fleet = FLEET[name]
    return GaugeMetricFamily(name, fleet.help, labels=fleet.labels)


def _queue_metrics() -> Iterator[Metric]:
    jobs = _gauge("headrace_queue_jobs")
    oldest = _gauge("headrace_queue_oldest_seconds")
    for name, depth in depths(QUEUES).items():
        for state in _STATES:
            jobs.add_metric([name, state], getattr(depth, state))
        oldest.add_metric([name], depth.oldest_seconds)
    yield jobs
    yield oldest


def _pause_metrics() -> Iterator[Metric]:
    scopes = [pause.scope for pause in pauses()]
    paused = _gauge("headrace_queue_paused")
    for name in QUEUES:
        paused.add_metric([name], f"queue:{name}" in scopes)
    by_kind = _gauge("headrace_scope_pauses")
    for kind, count in Counter(scope.partition(":")[0] for scope in scopes).items():
        by_kind.add_metric([kind], count)
    yield paused
    yield by_kind


def _worker_metric() -> Metric:
    family = _gauge("headrace_queue_workers")
    known = workers()
    for name in QUEUES:
        family.add_metric([name], len(serving(name, known)))
    return family


def _dead_letter_metric() -> Metric:
    family = _gauge("headrace_dead_letters_open")
    found = open_by_queue()
    for name in QUEUES | found:
        family.add_metric([name], found.get(name, 0))
    return family


def _freshness_metrics(sources: list[SourceFreshness]) -> Iterator[Metric]:
    ages = HistogramMetricFamily(
        "headrace_freshness_seconds",
        FLEET["headrace_freshness_seconds"].help,
        labels=FLEET["headrace_freshness_seconds"].labels,
    )
    share = _gauge("headrace_fresh_share")
    users = _gauge("headrace_users")
    records = _gauge("headrace_live_records")
    lag = _gauge("headrace_projection_lag_records")
    for freshness in sources:
        label = [freshness.source]
        buckets = [
            (str(float(seconds)), float(count))
            for seconds, count in zip(AGE_BUCKETS, freshness.ages, strict=True)
        ]
        buckets.append(("+Inf", float(freshness.users)))
        ages.add_metric(label, buckets, freshness.age_sum_seconds)
        share.add_metric(label, freshness.share)
        records.add_metric(label, freshness.records)
        for projection, behind in freshness.behind.items():
            lag.add_metric([projection, freshness.source], behind)
        for status, count in freshness.statuses.items():
            users.add_metric([freshness.source, status], count)
    yield from (ages, share, users, records, lag)


def _by_labels(name: str, counts: Mapping[Any, int]) -> Metric:
    family = _gauge(name)
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def serve() -> None:
    """Serve /metrics of this process on SCHEDULER_METRICS_PORT, unless that is 0."""
    port = settings().scheduler_metrics_port
    if not port:
        return
    REGISTRY.register(FleetCollector())
    try:
        start_http_server(port, settings().metrics_host)
    except OSError as error:
        log.error(
            "metrics are not served",
            extra={"setting": f"SCHEDULER_METRICS_PORT={port}", "reason": error.strerror},
        )
