"""Mail to users: what templates a tenant has of its own, and what became of each mail."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    StringField,
)

EMAIL_STATUSES = ("pending", "sending", "sent", "skipped", "failed", "unknown")
#: Statuses of a delivery that something is still to become of by itself.
EMAIL_OPEN = ("pending", "sending")
EMAIL_URGENCIES = ("urgent", "normal", "digest")
EMAIL_FORMATS = ("mjml", "html", "text")


class EmailTemplate(Document):
    """One version of a template that a tenant has in place of the built-in one.

    `template` is the id of the built-in one; at most one version of it is `active`, and none
    is where the built-in one is used again.
    """

    tenant_id = StringField(required=True)
    template = StringField(required=True)
    version = IntField(required=True, min_value=1)
    active = BooleanField(required=True, default=False)
    format = StringField(required=True, choices=EMAIL_FORMATS)
    subject = StringField(required=True, max_length=900)
    body = StringField(required=True, max_length=200_000)
    text = StringField(max_length=200_000)
    created_by = StringField(required=True)
    created_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "email_templates",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["tenant_id", "template", "version"], "unique": True},
            {
                "fields": ["tenant_id", "template"],
                "name": "one_active",
                "unique": True,
                "partialFilterExpression": {"active": True},
            },
        ],
    }


class EmailDelivery(Document):
    """One mail to one user, sent at most once; `key` is what makes it so.

    `context` is what its template is filled with, until `subject`, `html` and `text` are fixed
    when it is first tried.  `message_id` is the Message-ID, the same in all tries.  It is
    `pending` until `due_at`, for the reason `why`; while it is `sending`, `fence` and
    `lease_until` say whose that is, and `handed_at` that the mail server may have it.
    `unknown`: its worker died then, or no answer came, so that it may have been sent; only a
    person settles that.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    user_id = StringField(required=True)
    key = StringField(required=True, max_length=300)
    template = StringField(required=True)
    template_version = IntField(required=True, default=0)
    urgency = StringField(required=True, choices=EMAIL_URGENCIES, default="normal")
    context = DictField()
    subject = StringField()
    html = StringField()
    text = StringField()
    message_id = StringField()
    status = StringField(required=True, choices=EMAIL_STATUSES, default="pending")
    why = StringField()
    due_at = DateTimeField()
    attempts = IntField(required=True, default=0)
    fence = IntField(required=True, default=0)
    lease_until = DateTimeField()
    handed_at = DateTimeField()
    server_id = StringField()
    queued_by = StringField(required=True)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    sent_at = DateTimeField()
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "email_deliveries",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["tenant_id", "key"], "unique": True},
            ("tenant_id", "-created_at", "-id"),
            ("tenant_id", "status", "-created_at", "-id"),
            ("user_id", "-created_at"),
            {"fields": ["due_at"], "partialFilterExpression": {"status": "pending"}},
            {"fields": ["lease_until"], "partialFilterExpression": {"status": "sending"}},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
