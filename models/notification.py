"""What a user is told."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    StringField,
)

NOTIFICATION_TYPES = (
    "pattern_detected",
    "rule_executed",
    "staging_alert",
    "system",
    "inactivity_warning",
    "token_expiring",
)
PRIORITIES = ("low", "normal", "high")


class RelatedEntity(EmbeddedDocument):
    """What a notification is about."""

    entity_type = StringField(required=True, choices=("pattern", "rule", "staged_email", "mailbox"))
    entity_id = StringField(required=True)


class Notification(Document):
    """One thing that a user is told, once: `key` is what makes it so.

    `mail_due_at` is there until it was decided whether it is mailed, too.
    """

    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    key = StringField(required=True)
    type = StringField(required=True, choices=NOTIFICATION_TYPES)
    title = StringField(required=True)
    message = StringField(required=True)
    is_read = BooleanField(required=True, default=False)
    read_at = DateTimeField()
    related_entity = EmbeddedDocumentField(RelatedEntity)
    priority = StringField(required=True, choices=PRIORITIES, default="normal")
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)
    mail_due_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "notifications",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "is_read", "-created_at"),
            {"fields": ["user_id", "key"], "unique": True},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
            {"fields": ["mail_due_at"], "sparse": True},
        ],
    }
