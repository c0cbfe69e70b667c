"""Which mail users want, and when: as they have set it, by their own clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from models import Mailbox, User
from models.notification import NOTIFICATION_TYPES
from models.user import EmailPreferences
from pipeline import quiet_hours
from pipeline.errors import Gone, Permanent
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row, collection


@dataclass(frozen=True, slots=True)
class Quiet:
    """The quiet hours of a user."""

    start: time
    end: time


def preferences_of(user: Row) -> Row:
    """Return all preferences of a user, as they are where nothing is set."""
    known = user.get("email_preferences") or {}
    return parsed(EmailPreferences, known).to_mongo().to_dict()  # type: ignore[no-any-return]


def update(user_id: str, changes: Mapping[str, Any]) -> Row:
    """Change preferences of a user and return them all.  Raises Refused, Gone."""
    user = collection(User).find_one({"_id": user_id})
    if user is None:
        raise Gone(f"there is no user {user_id!r}")
    _check(changes)
    fresh = validated(parsed(EmailPreferences, dict(changes)))
    set_ = {f"email_preferences.{name}": fresh.get(name) for name in changes}
    # The next digest is planned anew, by the new hour.
    update_ = {"$set": {**set_, "updated_at": datetime.now(UTC)}, "$unset": {"digest_due_at": ""}}
    collection(User).update_one({"_id": user_id}, update_)
    return preferences_of(collection(User).find_one({"_id": user_id}) or user)


def mode_of(user: Row, kind: str) -> str:
    """Return how a user wants to be told of a type of notification: instant, digest or off."""
    wanted = preferences_of(user)
    if not wanted["enabled"]:
        return "off"
    mode = str(wanted.get("modes", {}).get(kind, wanted["default_mode"]))
    return "off" if mode == "digest" and not wanted["digest"] else mode


def zone_name(user: Row) -> str:
    """Return the name of the time zone that a user lives by: their own, their mailbox's, or UTC.

    One that is not known here is passed over: nobody's mail is to fail for that.
    """
    own = str((user.get("preferences") or {}).get("time_zone") or "")
    if _is_zone(own):
        return own
    found = collection(Mailbox).find_one({"user_id": user["_id"]}, {"time_zone": 1}) or {}
    of_mailbox = str(found.get("time_zone") or "")
    return of_mailbox if _is_zone(of_mailbox) else "UTC"


def quiet_until(user: Row, now: datetime) -> datetime | None:
    """Return when the quiet hours of a user end; None if there are none just now."""
    wanted = preferences_of(user)
    start, end = (time.fromisoformat(wanted[name]) for name in ("quiet_start", "quiet_end"))
    return quiet_hours.quiet_until(now, zone_name(user), Quiet(start, end))


def next_digest(user: Row, after: datetime) -> datetime:
    """Return the first moment after `after` at which the user's clock has the digest's hour."""
    hour = int(preferences_of(user)["digest_hour"])
    zone = quiet_hours.zone_of(zone_name(user))
    day = after.astimezone(zone).date()
    for days in range(3):
        moment = datetime.combine(day + timedelta(days=days), time(hour), tzinfo=zone)
        if (utc := moment.astimezone(UTC)) > after:
            return utc
    return after + timedelta(days=1)  # a clock that left out days


def _is_zone(name: str) -> bool:
    try:
        return bool(name and quiet_hours.zone_of(name))
    except Permanent:
        return False


def _check(changes: Mapping[str, Any]) -> None:
    """Refuse what the model would take for something else, or tells too little of."""
    for name in ("enabled", "digest"):
        if name in changes and not isinstance(changes[name], bool):
            raise Refused(name, "expected true or false")
    hour = changes.get("digest_hour", 0)
    if type(hour) is not int or not 0 <= hour <= 23:
        raise Refused("digest_hour", "expected a whole number from 0 to 23")
    modes = changes.get("modes", {})
    if not isinstance(modes, Mapping):
        raise Refused("modes", "expected an object: type of notification to mode")
    for kind in modes:
        if kind not in NOTIFICATION_TYPES:
            known = ", ".join(NOTIFICATION_TYPES)
            raise Refused("modes", f"there is no type {kind[:40]!r}; there are {known}")
