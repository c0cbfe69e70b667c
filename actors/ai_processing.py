"""The ai-processing queue: answer what was asked of AI."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.platform import ai


@dramatiq.actor(**actor_options("find_ai"))
def find_ai() -> None:
    """Queue requests that have lost their job.  Safe to run twice."""
    summarize(ai.find())


@dramatiq.actor(**actor_options("run_ai"))
def run_ai(request_id: str) -> None:
    """Answer a request, once.  Safe to run twice."""
    summarize(ai.run(request_id))
