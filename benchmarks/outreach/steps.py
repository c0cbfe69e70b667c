"""The steps of `headrace bench outreach`."""

from enum import StrEnum


class OutreachStep(StrEnum):
    """What is measured."""

    CAMPAIGN = "campaign"
    LATENESS = "lateness"
