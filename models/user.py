"""A person whose data is kept, and what they have set."""

import re
from zoneinfo import ZoneInfo

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    IntField,
    MapField,
    StringField,
    ValidationError,
)

#: The tenant of users that nobody has given one.
DEFAULT_TENANT = "default"
USER_ROLES = ("admin", "user")
EMAIL_MODES = ("instant", "digest", "off")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _check_time_zone(name: str) -> None:
    """Refuse a zone that no clock knows; empty is that of the mailbox."""
    try:
        if name:
            ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValidationError("expected the IANA name of a zone, such as Europe/Berlin") from None


class Preferences(EmbeddedDocument):
    """What a user has set for all of their mailboxes.

    `automation_paused` is the kill switch: nothing is done to mail while it is on.
    Working hours are whole hours of `time_zone` (an IANA name; empty: that of the
    mailbox).  `contacts_mailbox_id` and `contacts_folder_id` say where contacts are
    written that a user keeps through us.
    """

    automation_paused = BooleanField(default=False)
    working_hours_start = IntField(default=9, min_value=0, max_value=23)
    working_hours_end = IntField(default=17, min_value=0, max_value=23)
    time_zone = StringField(max_length=64, validation=_check_time_zone)
    contacts_mailbox_id = StringField()
    contacts_folder_id = StringField()


def _check_clock(text: str) -> None:
    """Refuse what is no time of day."""
    if not _CLOCK.fullmatch(text):
        raise ValidationError("expected a time such as 22:30")


class EmailPreferences(EmbeddedDocument):
    """Which mail a user gets, and when.

    `modes` says of a type of notification whether it is sent at once (`instant`), with what is
    told once a day (`digest`), or never (`off`); one that is not named is `default_mode`.  From
    `quiet_start` up to `quiet_end`, by the user's clock, nothing is sent but what is urgent: it
    waits.  The digest is made at the whole hour `digest_hour`, unless `digest` is off.
    """

    enabled = BooleanField(default=True)
    default_mode = StringField(default="digest", choices=EMAIL_MODES)
    modes = MapField(StringField(choices=EMAIL_MODES))
    quiet_start = StringField(default="22:00", validation=_check_clock)
    quiet_end = StringField(default="07:00", validation=_check_clock)
    digest = BooleanField(default=True)
    digest_hour = IntField(default=8, min_value=0, max_value=23)


class PatternSettings(EmbeddedDocument):
    """When a habit is sure enough to be suggested.  Thresholds are confidences in percent."""

    threshold_delete = IntField(default=98, min_value=50, max_value=100)
    threshold_move = IntField(default=85, min_value=50, max_value=100)
    threshold_mark_read = IntField(default=80, min_value=50, max_value=100)
    observation_window_days = IntField(default=90, min_value=7, max_value=365)
    rejection_cooldown_days = IntField(default=30, min_value=3, max_value=90)
    min_sender_events = IntField(default=5, min_value=2, max_value=20)


class User(Document):
    """A person whose data is kept.  `id` is the id that the host application uses.

    `email` is in lower case, and `microsoft_id` Microsoft's id of the person; both are
    known once a mailbox was connected.  Nothing is synced, learnt or done for a user
    who is not `is_active`.  `invited_by` is another user's id.  `digest_due_at` is when the
    next digest is to be made; nobody has looked yet if there is none.
    """

    id = StringField(primary_key=True, max_length=200)
    tenant_id = StringField(required=True, default=DEFAULT_TENANT)
    email = StringField()
    microsoft_id = StringField()
    display_name = StringField()
    role = StringField(choices=USER_ROLES, default="user")
    is_active = BooleanField(default=True)
    preferences = EmbeddedDocumentField(Preferences, default=Preferences)
    pattern_settings = EmbeddedDocumentField(PatternSettings, default=PatternSettings)
    email_preferences = EmbeddedDocumentField(EmailPreferences, default=EmailPreferences)
    digest_due_at = DateTimeField()
    last_login_at = DateTimeField()
    invited_by = StringField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "users",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "id"),
            ("digest_due_at", "is_active"),
            {
                "fields": ["email"],
                "unique": True,
                "partialFilterExpression": {"email": {"$gt": ""}},
            },
            {
                "fields": ["microsoft_id"],
                "unique": True,
                "partialFilterExpression": {"microsoft_id": {"$gt": ""}},
            },
        ],
    }
