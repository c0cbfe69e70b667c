"""The steps of `headrace bench mailbox`."""

from enum import StrEnum


class MailboxStep(StrEnum):
    """What is measured."""

    ANALYSIS = "analysis"
    IDLE = "idle"
    PUSH = "push"
