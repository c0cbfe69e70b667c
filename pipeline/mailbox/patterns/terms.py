"""What the user has set for habits, as the analysis takes it."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.user import PatternSettings
from pipeline.mailbox.mailboxes import Folders
from pipeline.mailbox.patterns.habits import Terms
from pipeline.stores import Row

#: However sure, a habit is suggested no earlier than this after the first mail of its sender.
OLD_ENOUGH = timedelta(days=14)
#: Which of a user's settings says how sure a habit must be.  No other action is suggested.
_THRESHOLDS = {
    "delete": "threshold_delete",
    "move": "threshold_move",
    "archive": "threshold_move",
    "mark_read": "threshold_mark_read",
}
#: Where only the provider, an inbox rule or the user's own writing puts mail that is new.
_SORTED = ("deleteditems", "junkemail", "drafts", "sentitems", "outbox")


def setting(user: Row, name: str) -> int:
    """Return what a user has set of PatternSettings, or its default."""
    value = (user.get("pattern_settings") or {}).get(name)
    return int(getattr(PatternSettings(), name) if value is None else value)


def terms_of(user: Row, mailbox: Row, folders: Folders, now: datetime) -> Terms:
    """Return what to look for in a user's mailbox."""
    known = (folders.well_known(name) for name in _SORTED)
    return Terms(
        now=now,
        min_samples=setting(user, "min_sender_events"),
        archive_folder=folders.well_known("archive"),
        staging_folder=mailbox.get("staging_folder_id"),
        sorted_folders=frozenset(one for one in known if one),
    )


def window_start(user: Row, now: datetime) -> datetime:
    """Return when the user's observation window begins."""
    return now - timedelta(days=setting(user, "observation_window_days"))


def status_of(user: Row, action: str, sure: float, first_seen_at: datetime, now: datetime) -> str:
    """Return `suggested` for a habit that is sure and old enough, else `detected`."""
    enough = action in _THRESHOLDS and sure >= setting(user, _THRESHOLDS[action])
    return "suggested" if enough and first_seen_at <= now - OLD_ENOUGH else "detected"
