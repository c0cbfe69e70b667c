"""What speaks against an act on a user."""

from __future__ import annotations

from pipeline.errors import Gone, Permanent


class Unknown(Gone):
    """There is no such user, or the user has no such source or connection."""


class NotNow(Permanent):
    """The user, or the source, is not in the state that the act needs."""
