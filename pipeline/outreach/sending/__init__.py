"""Sending messages once: the claim, the provider, and what became of it."""

from pipeline.outreach.sending.handing_over import send
from pipeline.outreach.sending.proof import proven
from pipeline.outreach.sending.reconciling import reconcile, resolve, tick

__all__ = ["proven", "reconcile", "resolve", "send", "tick"]
