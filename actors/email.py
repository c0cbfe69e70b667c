"""The email queue: mail to users, each once, and what they are told once a day."""

import dramatiq

from pipeline.jobs.current import summarize
from pipeline.jobs.names import actor_options
from pipeline.platform import email


@dramatiq.actor(**actor_options("find_emails"))
def find_emails() -> None:
    """Queue mail and digests that are due.  Safe to run twice."""
    summarize(email.find())


@dramatiq.actor(**actor_options("send_email"))
def send_email(delivery_id: str) -> None:
    """Send one mail, once.  Safe to run twice."""
    summarize(email.send(delivery_id))


@dramatiq.actor(**actor_options("mail_notification"))
def mail_notification(notification_id: str) -> None:
    """Queue the mail of a notification, if its user wants it at once.  Safe to run twice."""
    summarize(email.mail_notification(notification_id))


@dramatiq.actor(**actor_options("make_digest"))
def make_digest(user_id: str) -> None:
    """Queue a user's digest of today, once.  Safe to run twice."""
    made = email.make_digest(user_id)
    summarize("queued" if made else "nothing to tell")
