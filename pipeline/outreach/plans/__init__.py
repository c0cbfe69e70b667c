"""Plans: which messages a contact gets, and what leads from one to the next."""

from __future__ import annotations

from pipeline.outreach.plans.problems import InvalidPlan, Problem
from pipeline.outreach.plans.reading import Checked, canonical, check, digest, read
from pipeline.outreach.plans.reports import unreportable
from pipeline.outreach.plans.schema import STOP, TIMER_EVENTS, Node, Plan, Quiet, Transition
from pipeline.outreach.plans.storing import stored

__all__ = [
    "STOP",
    "TIMER_EVENTS",
    "Checked",
    "InvalidPlan",
    "Node",
    "Plan",
    "Problem",
    "Quiet",
    "Transition",
    "canonical",
    "check",
    "digest",
    "read",
    "stored",
    "unreportable",
]
