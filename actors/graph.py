"""The graph queue: bring the graph up to what has landed, and find what lags behind."""

from datetime import UTC, datetime

import dramatiq

from pipeline import dispatch as jobs
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.jobs.sending import Send
from pipeline.mailbox import observing
from pipeline.projections import graph, search
from pipeline.words import counted

#: Users, and mailboxes, per sweep; those that are left are found a tick later.
SWEEP_LIMIT = 1000


@dramatiq.actor(**actor_options("sweep"))
def sweep() -> None:
    """Queue a job for every user or mailbox whose projection lags behind.  Safe to run twice."""
    now = datetime.now(UTC)
    sends = [
        Send("advance_graph", (user_id,), tenant_id=tenant_id)
        for user_id, tenant_id in graph.lagging(now, SWEEP_LIMIT)
    ]
    sends += [
        Send("observe_mailbox", (user_id, mailbox_id), tenant_id=tenant_id)
        for user_id, mailbox_id, tenant_id in observing.lagging(now, SWEEP_LIMIT)
    ]
    sends += [
        Send("advance_search", (user_id,), tenant_id=tenant_id)
        for user_id, tenant_id in search.lagging(now, SWEEP_LIMIT)
    ]
    if (rebuild := search.under_way()) is not None:
        sends.append(Send("rebuild_search", (rebuild["_id"],)))
    sent = jobs.send_many(sends)
    summarize(f"{sum(one.created for one in sent):,} queued of {len(sent):,} that lag")


@dramatiq.actor(**actor_options("advance_graph"))
def advance_graph(user_id: str) -> None:
    """Write one user's landed changes to the graph.  Safe to run twice."""
    summarize(f"{counted(graph.advance(user_id).records, 'record')} written")
