"""What recipients do with messages: told by providers, by links and by mailboxes."""

from pipeline.outreach.events.deliveries import sweep
from pipeline.outreach.events.processing import process

__all__ = ["process", "sweep"]
