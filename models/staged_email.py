"""Mail that waits in the staging folder before it is deleted."""

from mongoengine import (
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    StringField,
)

STAGED_STATUSES = (
    "staged",
    "executing",
    "rescuing",
    "executed",
    "rescued",
    "expired",
    "failed",
)
#: Statuses in which the mail is, or may be, in the staging folder.
STAGED_OPEN = ("staged", "executing", "rescuing")


class StagedAction(EmbeddedDocument):
    """What is done when its time has come; `to_folder` is a folder's id."""

    action_type = StringField(required=True)
    to_folder = StringField()


class StagedEmail(Document):
    """One mail in the staging folder of its mailbox.

    Whoever sets `staged` to `executing` or `rescuing` alone may act.  `expired`: the mail
    went elsewhere by itself.  `cleanup_at`, when the row goes, is set only once it is over.
    `expires_at` is when it has waited for long enough, `due_at` when to look at it next, set
    exactly while it is `staged`: it is executed only within working hours.  `alerted_at` is when
    its user was reminded of that.  `staging_folder` is where it waits.
    """

    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    mailbox_id = StringField(required=True)
    rule_id = StringField(required=True)
    message_id = StringField(required=True)
    sender_email = StringField()
    sender_name = StringField()
    subject = StringField()
    original_folder = StringField(required=True)
    staging_folder = StringField(required=True)
    staged_at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)
    due_at = DateTimeField()
    cleanup_at = DateTimeField()
    status = StringField(required=True, choices=STAGED_STATUSES, default="staged")
    actions = EmbeddedDocumentListField(StagedAction)
    executed_at = DateTimeField()
    rescued_at = DateTimeField()
    alerted_at = DateTimeField()
    error = StringField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "staged_emails",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "status", "expires_at"),
            ("mailbox_id", "status", "expires_at"),
            ("rule_id", "status"),
            {
                "fields": ["mailbox_id", "due_at"],
                "partialFilterExpression": {"due_at": {"$exists": True}},
            },
            {"fields": ["due_at"], "sparse": True},
            {
                "fields": ["mailbox_id", "message_id"],
                "unique": True,
                "partialFilterExpression": {"status": {"$in": list(STAGED_OPEN)}},
            },
            {"fields": ["cleanup_at"], "expireAfterSeconds": 0},
        ],
    }
