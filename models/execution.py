"""The ledger of all that is done to mail: a row before the act, its outcome after."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    StringField,
)

EXECUTION_KINDS = ("rule", "execute", "rescue", "undo", "run_now")
EXECUTION_STATES = ("pending", "executing", "done", "partial", "failed", "skipped")
STEP_STATES = ("pending", "doing", "done", "failed", "skipped")


class Step(EmbeddedDocument):
    """One act on a mail.

    `params` say what is to be done: to_folder, category, categories, is_read, flag, forward_to,
    popup_message; from_folder, where the mail must still be; return_to, where an undo leads.
    `before` is the mail's state read just before, as far as the act changes it; `after` the state
    that it leads to: folder_id, is_read, is_flagged or categories; both are there before it is
    tried.  A step that was left `doing` is reconciled by looking at the mail.  `draft_id` is the
    mail that a forward sends.  `observed`: the change that came of it has been seen, so that it
    is no habit of the user.
    """

    action_type = StringField(required=True)
    order = IntField(default=0)
    params = DictField()
    state = StringField(required=True, choices=STEP_STATES, default="pending")
    before = DictField()
    after = DictField()
    acted_at = DateTimeField()
    draft_id = StringField()
    error = StringField()
    observed = BooleanField()


class Execution(Document):
    """Everything that one rule, staged mail or undo does to one mail, once.

    `id` says what it is for, so that nothing is done twice: "rule:<rule>:<mailbox>:<message>",
    "run_now:<rule>:<mailbox>:<message>", "staged:<staged>:execute", "staged:<staged>:rescue",
    "undo:<audit>:<number>".  `due_at` is set exactly while something is left to do; while it is
    executed, it says when to look whether that has died.  `fence` is the lease under which it was
    claimed last: who has an older one writes nothing any more.  `by` is who asked for it, and
    `because` why, where nobody did.
    `reason` says why it was skipped or failed, without data of the mail.
    """

    id = StringField(primary_key=True)
    kind = StringField(required=True, choices=EXECUTION_KINDS)
    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    mailbox_id = StringField(required=True)
    message_id = StringField(required=True)
    rule_id = StringField()
    staged_id = StringField()
    audit_id = StringField()
    internet_message_id = StringField()
    by = StringField()
    because = StringField()
    state = StringField(required=True, choices=EXECUTION_STATES, default="pending")
    reason = StringField()
    steps = EmbeddedDocumentListField(Step)
    attempts = IntField(required=True, default=0)
    fence = IntField()
    due_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    expires_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "executions",
        "auto_create_index": False,
        "indexes": [
            ("mailbox_id", "message_id"),
            ("user_id", "-created_at"),
            ("rule_id", "-created_at"),
            {
                "fields": ["mailbox_id", "due_at"],
                "partialFilterExpression": {"due_at": {"$exists": True}},
            },
            {"fields": ["due_at"], "sparse": True},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
