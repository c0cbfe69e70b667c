"""Calendar's sync tokens: what they carry, what cannot be asked together with them, their end.

https://developers.google.com/workspace/calendar/api/guides/sync
"""

from __future__ import annotations

from http import HTTPStatus

from pipeline.sandbox.calls import ApiError, Call
from pipeline.sandbox.paging import Position
from pipeline.sandbox.stamps import CALENDAR

RESTRICTED = (
    *("iCalUID", "orderBy", "privateExtendedProperty", "q"),
    *("sharedExtendedProperty", "timeMin", "timeMax", "updatedMin"),
)


def full_sync_required() -> ApiError:
    message = "Sync token is no longer valid, a full sync is required."
    return ApiError(
        *(HTTPStatus.GONE, "fullSyncRequired", message),
        domain="calendar",
        location=("parameter", "syncToken"),
    )


def check_restrictions(call: Call, names: tuple[str, ...] = RESTRICTED) -> None:
    """Refuse a sync token together with any of `names`."""
    if call.text("syncToken") and any(call.text(name) for name in names):
        message = "Sync token cannot be used with other request restrictions."
        raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", message)


def require_shown(call: Call, name: str) -> None:
    """Refuse an explicit False of `showDeleted` or `showHidden` together with a sync token."""
    if call.text("syncToken") and not call.flag(name, True):
        message = f"{name} cannot be set to false together with a sync token."
        raise ApiError(HTTPStatus.BAD_REQUEST, "badRequest", message)


def start(call: Call, stream_n: int) -> Position:
    """Where the request wants to go on: a page token, a sync token, or the beginning.

    Raises 410 for an expired or unknown sync token, at every page of an incremental listing.
    """
    sync_token, page_token = call.text("syncToken"), call.text("pageToken")
    since_rev = None if sync_token is None else _since(call, stream_n, sync_token)
    if page_token is None:
        return Position(call.store.rev(call.user), since_rev)
    position = Position.of(call, page_token, stream_n)
    if position is None:
        raise ApiError(
            *(HTTPStatus.BAD_REQUEST, "invalid", "Invalid page token value."),
            location=("parameter", "pageToken"),
        )
    if position.since_rev is not None and position.since_rev < _floor(call):
        raise full_sync_required()
    return position


def _since(call: Call, stream_n: int, token: str) -> int:
    fields = call.store.cursors.decode("calendar", token)
    if fields is None or fields["s"] != stream_n or fields["r"] < _floor(call):
        raise full_sync_required()
    return int(fields["r"])


def _floor(call: Call) -> int:
    return call.store.floor(call.user, CALENDAR)


def next_sync_token(call: Call, stream_n: int, position: Position) -> str:
    """Everything since the listing's first page comes again: nothing can fall between."""
    fields = {"s": stream_n, "r": position.first_rev}
    return call.store.cursors.encode("calendar", fields)
