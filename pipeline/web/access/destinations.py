"""Where a visitor goes after signing in: a page of the admin, never another site."""

from __future__ import annotations

from urllib.parse import urlsplit

HOME = "/admin/queues"
SIGN_IN = "/admin/sign-in"
_MOST_CHARACTERS = 2000
#: Browsers read a backslash as a slash, and skip tabs and line ends.
#: https://url.spec.whatwg.org/#concept-basic-url-parser
_NEVER = frozenset('\\"<>^`{|}')


def local(wanted: str | None) -> str:
    """Return `wanted` if it is the address of a page of the admin, else that of the first page."""
    return wanted if wanted and _is_local(wanted) else HOME


def _is_local(wanted: str) -> bool:
    if len(wanted) > _MOST_CHARACTERS:
        return False
    if any(not "!" <= letter <= "~" or letter in _NEVER for letter in wanted):
        return False
    if not wanted.startswith(("/admin/", "/admin?")) and wanted != "/admin":
        return False
    path = urlsplit(wanted).path
    return path != SIGN_IN and not path.startswith((f"{SIGN_IN}/", "/admin/sign-out"))
