"""The graph queue: bring the graph up to what has landed."""

from datetime import UTC, datetime

import dramatiq

from pipeline import dispatch as jobs
from pipeline.projections import graph
from pipeline.queues import actor_options

#: Users per sweep; those that are left are found a tick later.
SWEEP_LIMIT = 1000


@dramatiq.actor(**actor_options("sweep"))
def sweep() -> None:
    """Queue an advance for every user whose graph lags behind.  Safe to run twice."""
    for user_id in graph.lagging(datetime.now(UTC), SWEEP_LIMIT):
        jobs.send("advance_graph", user_id)


@dramatiq.actor(**actor_options("advance_graph"))
def advance_graph(user_id: str) -> None:
    """Write one user's landed changes to the graph.  Safe to run twice."""
    graph.advance(user_id)
