"""The steps of `headrace bench index`."""

from enum import StrEnum


class IndexStep(StrEnum):
    """What is measured."""

    SEARCH = "search"
    EMAIL = "email"
    AI = "ai"
