"""Who an account belongs to, as Graph and ID tokens say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.sandbox.store import User


def display_name(user: User) -> str:
    """A name for people, made of the name for programs."""
    return " ".join(re.split(r"[._-]+", user.user)).title()


def mail_address(user: User) -> dict[str, dict[str, str]]:
    """The account as a sender or recipient."""
    return {"emailAddress": {"name": display_name(user), "address": user.email}}
