"""The token-refresh queue: keep grants alive that end when nobody uses them."""

import dramatiq

from pipeline import token_refresh
from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options


@dramatiq.actor(**actor_options("find_refreshes"))
def find_refreshes() -> None:
    """Queue a refresh of every grant that is due.  Safe to run twice."""
    summarize(token_refresh.queue_due())


@dramatiq.actor(**actor_options("refresh_token"))
def refresh_token(connection_id: str) -> None:
    """Renew the token of a grant, or let its user know that it is lost.  Safe to run twice."""
    summarize(token_refresh.refresh(connection_id))
