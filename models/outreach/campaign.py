"""What a tenant sends to whom, by which plan."""

from mongoengine import DateTimeField, DictField, Document, IntField, StringField

CAMPAIGN_STATUSES = ("draft", "active", "paused", "stopped")


class Campaign(Document):
    """A plan and the contacts that are taken through it.

    `plan_version` is the newest version: contacts begin with it, and stay on the version that
    they began with.  0: there is none yet.  The senders are SenderIdentity ids, one per channel
    that the plan uses.  `settle_due_at` is set while enrollments are still to be brought in line
    with the status (started, taken up again, halted, stopped); `settle_after` is the enrollment
    up to which that was done.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    name = StringField(required=True, max_length=200)
    description = StringField(max_length=2000)
    status = StringField(required=True, choices=CAMPAIGN_STATUSES, default="draft")
    status_reason = StringField(max_length=500)
    status_by = StringField()
    status_at = DateTimeField()
    plan_version = IntField(required=True, default=0)
    email_sender_id = StringField()
    sms_sender_id = StringField()
    settle_due_at = DateTimeField()
    settle_after = StringField()
    activated_at = DateTimeField()
    created_by = StringField(required=True)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "campaigns",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "-created_at"),
            ("tenant_id", "status"),
            {"fields": ["settle_due_at"], "sparse": True},
            {
                "fields": ["email_sender_id"],
                "partialFilterExpression": {"email_sender_id": {"$gt": ""}},
            },
            {
                "fields": ["sms_sender_id"],
                "partialFilterExpression": {"sms_sender_id": {"$gt": ""}},
            },
        ],
    }


class PlanVersion(Document):
    """One version of a campaign's plan, which never changes; `id` is "<campaign>:<number>".

    `hash` is the SHA-256 of the plan as JSON with sorted keys.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    number = IntField(required=True)
    plan = DictField(required=True)
    hash = StringField(required=True)
    created_by = StringField(required=True)
    created_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "campaign_plan_versions",
        "auto_create_index": False,
        "indexes": [{"fields": ["campaign_id", "number"], "unique": True}],
    }
