"""A person whose data is kept, and what they have set."""

from zoneinfo import ZoneInfo

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    IntField,
    StringField,
    ValidationError,
)

#: The tenant of users that nobody has given one.
DEFAULT_TENANT = "default"
USER_ROLES = ("admin", "user")


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
    who is not `is_active`.  `invited_by` is another user's id.
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
    last_login_at = DateTimeField()
    invited_by = StringField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "users",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "id"),
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
