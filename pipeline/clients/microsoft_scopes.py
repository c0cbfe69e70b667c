"""Which of Microsoft Graph's scopes each source needs.

https://learn.microsoft.com/graph/permissions-reference
"""

from __future__ import annotations

from collections.abc import Iterable

#: Graph's scopes are also written as addresses; the answer to a consent may hold either.
_GRAPH = "https://graph.microsoft.com/"
#: Who the account belongs to; MSAL asks for the rest of OpenID Connect, and refuses it from us.
IDENTITY_SCOPE = "User.Read"
#: MSAL adds these itself, and refuses to be asked for them.
RESERVED = frozenset(("openid", "profile", "offline_access", "email"))
#: For each source: of every group one scope must be granted, so that it can be kept.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "microsoft_mail": (("Mail.ReadWrite", "Mail.Read"),),
}
#: What it takes to act on what a source has: to move and mark mail, to forward it, and to
#: read the mailbox's time zone and mirror rules.
_ASKED: dict[str, tuple[str, ...]] = {
    "microsoft_mail": ("Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite"),
}
ACTING_SCOPE = "Mail.ReadWrite"


def scopes_of_source(source: str) -> list[str]:
    """Return the scopes to ask a user for, so that `source` can be kept and acted on."""
    return list(_ASKED[source])


def missing_scope(granted: Iterable[str], source: str) -> str | None:
    """Return the scope to ask for that `source` needs and was not granted; None if none is."""
    names = short(granted)
    groups = _NEEDED.get(source, ())
    return next((group[0] for group in groups if names.isdisjoint(group)), None)


def short(scopes: Iterable[str]) -> set[str]:
    """Return the names of scopes, without the address of Graph."""
    return {scope.removeprefix(_GRAPH) for scope in scopes}
