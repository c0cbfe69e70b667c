"""The graph queue: bring the graph up to what has landed."""

from datetime import UTC, datetime

import dramatiq

from pipeline import dispatch as jobs
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.jobs.sending import Send
from pipeline.projections import graph
from pipeline.words import counted

#: Users per sweep; those that are left are found a tick later.
SWEEP_LIMIT = 1000


@dramatiq.actor(**actor_options("sweep"))
def sweep() -> None:
    """Queue an advance for every user whose graph lags behind.  Safe to run twice."""
    lagging = graph.lagging(datetime.now(UTC), SWEEP_LIMIT)
    sent = jobs.send_many(Send("advance_graph", (u,), tenant_id=tenant) for u, tenant in lagging)
    summarize(f"{sum(one.created for one in sent):,} queued of {len(sent):,} that lag")


@dramatiq.actor(**actor_options("advance_graph"))
def advance_graph(user_id: str) -> None:
    """Write one user's landed changes to the graph.  Safe to run twice."""
    summarize(f"{counted(graph.advance(user_id).records, 'record')} written")
