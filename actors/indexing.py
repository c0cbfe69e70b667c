"""The indexing queue: bring search up to what has landed, and make new indexes."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.projections import search
from pipeline.words import counted


@dramatiq.actor(**actor_options("advance_search"))
def advance_search(user_id: str) -> None:
    """Write one user's landed changes to the search index.  Safe to run twice."""
    summarize(f"{counted(search.advance(user_id).records, 'record')} written")


@dramatiq.actor(**actor_options("rebuild_search"))
def rebuild_search(rebuild_id: str) -> None:
    """Fill the next part of a new search index.  Safe to run twice."""
    row = search.carry_on(rebuild_id)
    summarize(f"{counted(row['records'], 'record')} written to a new index")
