"""The outreach-send queue: hand messages to their providers, each once."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.outreach import sending


@dramatiq.actor(**actor_options("send_message"))
def send_message(action_id: str, sender_id: str) -> None:
    """Send the message of an action, once.  Safe to run twice."""
    summarize(sending.send(action_id, sender_id))
