"""Habits that were found in a user's behaviour."""

from mongoengine import (
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    StringField,
)

PATTERN_TYPES = ("sender", "folder-routing")
PATTERN_STATUSES = ("detected", "suggested", "approved", "rejected", "expired")
PATTERN_ACTIONS = ("delete", "move", "archive", "mark_read", "flag", "categorize")
#: Statuses in which there is at most one pattern of a kind.
OPEN_PATTERN_STATUSES = ("detected", "suggested", "approved")
MOST_EVIDENCE = 10


class PatternCondition(EmbeddedDocument):
    """Which mail a pattern is about."""

    sender_email = StringField()
    sender_domain = StringField()
    from_folder = StringField()
    subject_pattern = StringField()


class SuggestedAction(EmbeddedDocument):
    """What a user does with it; `to_folder` is a folder's id."""

    action_type = StringField(required=True, choices=PATTERN_ACTIONS)
    to_folder = StringField()
    category = StringField()


class Evidence(EmbeddedDocument):
    """One mail with which the user did so."""

    message_id = StringField(required=True)
    timestamp = DateTimeField(required=True)
    action = StringField(required=True)


class Pattern(Document):
    """A habit, how sure it is, and what its user said of it.

    `confidence` is in percent.  `sample_size` is how many mails arrived, `exception_count` with
    how many of them the user did something else.  `version` grows each time the pattern
    becomes suggested again: its user is told once per version.
    """

    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    mailbox_id = StringField(required=True)
    pattern_type = StringField(required=True, choices=PATTERN_TYPES)
    status = StringField(required=True, choices=PATTERN_STATUSES, default="detected")
    confidence = FloatField(required=True, min_value=0, max_value=100)
    sample_size = IntField(required=True, min_value=0)
    exception_count = IntField(required=True, default=0, min_value=0)
    condition = EmbeddedDocumentField(PatternCondition, default=PatternCondition)
    suggested_action = EmbeddedDocumentField(SuggestedAction, required=True)
    evidence = EmbeddedDocumentListField(Evidence, max_length=MOST_EVIDENCE)
    first_seen_at = DateTimeField()
    last_seen_at = DateTimeField()
    version = IntField(required=True, default=0)
    notified_version = IntField(required=True, default=0)
    suggested_at = DateTimeField()
    rejected_at = DateTimeField()
    rejection_cooldown_until = DateTimeField()
    approved_at = DateTimeField()
    last_analyzed_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "patterns",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "mailbox_id", "status"),
            ("status", "mailbox_id"),
            ("user_id", "pattern_type", "condition.sender_domain"),
            {
                "fields": [
                    "user_id",
                    "mailbox_id",
                    "pattern_type",
                    "condition.sender_email",
                    "suggested_action.action_type",
                    "suggested_action.to_folder",
                ],
                "unique": True,
                "partialFilterExpression": {"status": {"$in": list(OPEN_PATTERN_STATUSES)}},
            },
            {"fields": ["rejection_cooldown_until"], "sparse": True},
        ],
    }
