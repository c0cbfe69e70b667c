"""Which of Google's scopes each source needs.

https://developers.google.com/identity/protocols/oauth2/scopes
"""

from __future__ import annotations

from collections.abc import Iterable

_AUTH = "https://www.googleapis.com/auth/"
#: Who the account belongs to; the long form, since Google answers with it.
IDENTITY_SCOPES = ("openid", f"{_AUTH}userinfo.email")
#: For each source: of every group one scope must be granted; the first is asked for.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "google_calendar": (
        ("calendar.readonly", "calendar", "calendar.events.readonly", "calendar.events"),
        (
            "calendar.readonly",
            "calendar",
            "calendar.calendarlist.readonly",
            "calendar.calendarlist",
        ),
    ),
    # Not gmail.metadata: it may not search, and a window of mail is a search.
    "google_gmail": (("gmail.readonly", "gmail.modify", "https://mail.google.com/"),),
    "google_contacts": (("contacts.readonly", "contacts"),),
    "google_tasks": (("tasks.readonly", "tasks"),),
}


def scopes_of_source(source: str) -> list[str]:
    """Return the scopes to ask a user for, so that `source` can be kept."""
    return list(dict.fromkeys(_AUTH + group[0] for group in _NEEDED[source]))


def missing_scope(granted: Iterable[str], source: str) -> str | None:
    """Return the scope to ask for that `source` needs and was not granted; None if none is."""
    names = {scope.removeprefix(_AUTH) for scope in granted}
    groups = _NEEDED.get(source, ())
    return next((_AUTH + group[0] for group in groups if names.isdisjoint(group)), None)
