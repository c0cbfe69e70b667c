"""The outreach-timeout queue: what is due in campaigns, and when to look again."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.outreach import pacing, promoting, replies, sending, settling, timeouts


@dramatiq.actor(**actor_options("promote_actions"))
def promote_actions() -> None:
    """Queue what is due soon, and what has lost its job.  Safe to run twice."""
    summarize(promoting.promote())


@dramatiq.actor(**actor_options("pace_sender"))
def pace_sender(sender_id: str) -> None:
    """Queue as many of a sender's messages as it may send now.  Safe to run twice."""
    summarize(pacing.pace(sender_id))


@dramatiq.actor(**actor_options("fire_timeouts"))
def fire_timeouts(tenant_id: str, beat: int) -> None:
    """End the waits of a tenant that end in a beat, all together.  Safe to run twice."""
    summarize(timeouts.fire(tenant_id, beat))


@dramatiq.actor(**actor_options("settle_campaign"))
def settle_campaign(campaign_id: str) -> None:
    """Bring enrollments in line with their campaign's status.  Safe to run twice."""
    summarize(settling.settle(campaign_id))


@dramatiq.actor(**actor_options("reconcile_messages"))
def reconcile_messages() -> None:
    """Queue a job for every message that is to be looked for.  Safe to run twice."""
    summarize(sending.tick())


@dramatiq.actor(**actor_options("reconcile_message"))
def reconcile_message(message_id: str) -> None:
    """Find out whether a message was sent of which that is unknown.  Safe to run twice."""
    summarize(sending.reconcile(message_id))


@dramatiq.actor(**actor_options("find_replies"))
def find_replies() -> None:
    """Find replies in the mailboxes of senders.  Safe to run twice."""
    summarize(replies.find())
