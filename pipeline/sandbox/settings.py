"""What control can switch on a running sandbox; kept in the SQLite file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pipeline.sandbox.database import Database

_SHARES = (
    "microsoft_quiet_move_share",
    "microsoft_partial_update_share",
    "microsoft_replay_share",
)
_MAY_BE_ZERO = (
    *("rotation_grace_seconds", "push_backoff_seconds", "gmail_push_interval_seconds"),
    "sendgrid_batch_seconds",
    *_SHARES,
)


@dataclass(frozen=True)
class Settings:
    """`quota_scale` multiplies every limit; 2.0 allows twice as much as Google does.

    A push that is not answered within `push_timeout_seconds`, or with an error, is tried up to
    `push_attempts` times, after `push_backoff_seconds` and then twice as long each time.  Gmail
    tells of one mailbox once in `gmail_push_interval_seconds`, and drops the rest.

    Of mails that move at Microsoft, `microsoft_quiet_move_share` do not appear in the delta of
    the folder they move to; of updates, `microsoft_partial_update_share` carry only what changed;
    `microsoft_replay_share` of a delta's items come twice.  A subscription lives for at most
    `microsoft_subscription_minutes`.

    SendGrid tells of up to `sendgrid_batch_events` events at once, of what has come together in
    `sendgrid_batch_seconds`; it lets an account ask `sendgrid_requests_per_minute` times, and,
    with `sendgrid_activity_enabled`, for its Email Activity.
    """

    quotas_enabled: bool = True
    quota_scale: float = 1.0
    access_token_seconds: int = 3600
    rotation_grace_seconds: int = 0
    push_attempts: int = 5
    push_backoff_seconds: float = 1.0
    push_timeout_seconds: float = 5.0
    gmail_push_interval_seconds: float = 1.0
    microsoft_quiet_move_share: float = 0.3
    microsoft_partial_update_share: float = 0.5
    microsoft_replay_share: float = 0.1
    microsoft_subscription_minutes: int = 10_070
    sendgrid_batch_seconds: float = 0.05
    sendgrid_batch_events: int = 200
    sendgrid_requests_per_minute: int = 600_000
    sendgrid_activity_enabled: bool = True

    def changed(self, values: dict[str, Any]) -> Settings:
        """A copy with `values`.  Raises ValueError that names the field at fault."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"{name}: unknown setting; known are {', '.join(kinds)}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (isinstance(value, bool) if kinds[name] is bool else number):
                raise ValueError(f"{name}: needs a {kinds[name].__name__}")
            if number and (value < 0 or (value == 0 and name not in _MAY_BE_ZERO)):
                raise ValueError(f"{name}: must be positive")
            if name in _SHARES and value > 1:
                raise ValueError(f"{name}: must be at most 1")
        return replace(self, **{name: kinds[name](value) for name, value in values.items()})

    def save(self, database: Database) -> None:
        database.set_meta("settings", json.dumps(asdict(self)))

    @staticmethod
    def load(database: Database) -> Settings:
        """The saved settings; the defaults for a new file."""
        return Settings().changed(json.loads(database.meta("settings", "{}")))
