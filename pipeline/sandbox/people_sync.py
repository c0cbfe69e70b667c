"""People's sync tokens: bound to the parameters of the first call, dead seven days after it.

https://developers.google.com/people/api/rest/v1/people.connections/list
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from pipeline.sandbox.calls import ApiError, Call, error_info, invalid
from pipeline.sandbox.paging import Position
from pipeline.sandbox.stamps import CONTACTS

TOKEN_SECONDS = 7 * 86_400
_FREE = frozenset(("pageToken", "syncToken", "alt", "key", "prettyPrint", "quotaUser", "fields"))
#: Query parameters whose order and spelling do not matter.
_LISTS = frozenset(("personFields", "sources"))


@dataclass(frozen=True)
class Listing:
    """Where a listing stands, and when the full one that it goes back to began."""

    position: Position
    full_at_ms: int


def expired_sync_token() -> ApiError:
    message = "Sync token is expired. Clear local cache and retry call without the sync token."
    info = error_info("EXPIRED_SYNC_TOKEN", "people.googleapis.com")
    return ApiError(400, "failedPrecondition", message, "FAILED_PRECONDITION", details=(info,))


def resume(call: Call, stream_n: int) -> Listing:
    """Where the request wants to go on.  Raises 400 for a token that is expired, that is not
    ours, or that was made under other parameters."""
    now_ms = call.store.clock.now_ms()
    sync_token, page_token = call.text("syncToken"), call.text("pageToken")
    since = None if sync_token is None else _checked(call, "people", sync_token, stream_n)
    if page_token is not None:
        position = Position.of(call, page_token, stream_n)
        if position is None:
            raise invalid("Page token is invalid.")
        _check_parameters(call, position.extra["p"], "page")
        _check_age(call, position.since_rev, position.extra["a"])
        return Listing(position, position.extra["a"])
    full_at_ms = now_ms if since is None else int(since["a"])
    position = Position(call.store.rev(call.user), None if since is None else int(since["r"]))
    extra = {"p": _fingerprint(call), "a": full_at_ms}
    return Listing(replace(position, extra=extra), full_at_ms)


def next_sync_token(call: Call, stream_n: int, listing: Listing) -> str:
    fields = {
        "s": stream_n,
        "r": listing.position.first_rev,
        "a": listing.full_at_ms,
        "p": _fingerprint(call),
    }
    return call.store.cursors.encode("people", fields)


def _checked(call: Call, kind: str, token: str, stream_n: int) -> dict[str, int | str]:
    fields = call.store.cursors.decode(kind, token)
    if fields is None or fields["s"] != stream_n:
        raise invalid("Sync token is invalid.")
    _check_age(call, fields["r"], fields["a"])
    _check_parameters(call, fields["p"], "sync")
    return fields


def _check_age(call: Call, since_rev: int | None, full_at_ms: int) -> None:
    if since_rev is None:
        return
    too_old = call.store.clock.now_ms() - full_at_ms > TOKEN_SECONDS * 1000
    if too_old or since_rev < call.store.floor(call.user, CONTACTS):
        raise expired_sync_token()


def _check_parameters(call: Call, expected: str, kind: str) -> None:
    if _fingerprint(call) != expected:
        raise invalid(
            f"Request parameters must match the first call that provided the {kind} token."
        )


def _fingerprint(call: Call) -> str:
    given: dict[str, list[str]] = {}
    for name, value in call.query:
        if name not in _FREE:
            values = value.split(",") if name in _LISTS else [value]
            given[name] = sorted([*given.get(name, []), *(part.strip() for part in values)])
    return hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:16]
