"""What was done to a user's mail, rules and patterns, and what of it can be undone."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    StringField,
)

MAIL_AUDIT_ACTIONS = (
    "rule_created",
    "rule_updated",
    "rule_deleted",
    "rule_executed",
    "email_staged",
    "email_rescued",
    "email_executed",
    "pattern_approved",
    "pattern_unapproved",
    "pattern_rejected",
    "automation_paused",
    "automation_resumed",
    "undo_action",
    "whitelist_updated",
    "settings_updated",
    "rules_run",
)
MAIL_AUDIT_TARGETS = ("email", "rule", "pattern", "mailbox", "settings")
UNDO_STATES = ("pending", "partial", "undone")


class MailAudit(Document):
    """One act, by a user, an operator or a rule, that concerns a user's mail.

    AuditLog tells what operators do in the admin; this tells what became of the mail.
    `actor` is "rule", "schedule", or who did it.  `steps` are those of the execution, as they
    were done: {action, before, after, message_id, state}; an undo does the inverse of each that is
    done.  `undo_state` is claimed as `pending` by one undo at a time; `undoable` rows without any
    are younger than 48 hours, or too old.  `undo_number` counts the undos that began, and
    `undo_results` has what became of each step: {step, state, error}.
    """

    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    mailbox_id = StringField()
    action = StringField(required=True, choices=MAIL_AUDIT_ACTIONS)
    target_type = StringField(required=True, choices=MAIL_AUDIT_TARGETS)
    target_id = StringField()
    actor = StringField(required=True)
    details = DictField()
    steps = ListField(DictField())
    undoable = BooleanField(required=True, default=False)
    undo_state = StringField(choices=UNDO_STATES)
    undo_number = IntField()
    undo_results = ListField(DictField())
    undo_claimed_at = DateTimeField()
    undone_at = DateTimeField()
    undone_by = StringField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "mail_audit",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "action", "-created_at"),
            ("user_id", "-created_at"),
            ("user_id", "mailbox_id", "-created_at"),
            ("action", "mailbox_id", "-created_at"),
            ("target_type", "target_id"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
