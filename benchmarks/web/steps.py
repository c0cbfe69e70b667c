"""The steps of `headrace bench web`."""

from enum import StrEnum


class WebStep(StrEnum):
    """What is measured."""

    WEBHOOKS = "webhooks"
    PAGES = "pages"
    PUSH = "push"
