"""The ledger of all that is sent: a row before the provider is called, the outcome after."""

from mongoengine import DateTimeField, Document, IntField, StringField

from models.outreach.sender import CHANNELS, SENDER_PROVIDERS

MESSAGE_STATES = ("sending", "sent", "retryable", "failed", "unknown", "canceled")


class OutboundMessage(Document):
    """One message to one contact, sent once.

    `dedupe_key` is "<tenant>:<campaign>:<contact>:<node>:<channel>", and `id` a hash of it, which
    providers may know: it says nothing about anybody.  `sending`: somebody has claimed it until
    `lease_until`; `fence` counts the claims, and who has an older one writes nothing any more.
    `handed_over_at` is written just before the provider is called: without it, nothing was sent;
    with it and no answer it may have been, the state becomes `unknown`, and it is not sent again
    before the provider, an event or a person has said that it was not.  `reconcile_due_at` is
    when to ask next, and `reconciliation` says in words how it stands, or how it was settled and
    by whom.  `retryable`: refused in passing, certainly not sent.  `message_id_header` is the
    Message-ID of mail, the same in every attempt.  `provider_id` is the provider's.
    The times of events are those of the first one of each kind.
    """

    id = StringField(primary_key=True)
    dedupe_key = StringField(required=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    enrollment_id = StringField(required=True)
    contact_id = StringField(required=True)
    sender_id = StringField(required=True)
    node_id = StringField(required=True)
    plan_version = IntField(required=True)
    channel = StringField(required=True, choices=CHANNELS)
    provider = StringField(required=True, choices=tuple(SENDER_PROVIDERS))
    to_address = StringField()
    domain = StringField()
    subject = StringField()
    content_hash = StringField()
    message_id_header = StringField()
    state = StringField(required=True, choices=MESSAGE_STATES)
    fence = IntField(required=True, default=0)
    attempts = IntField(required=True, default=0)
    lease_until = DateTimeField()
    handed_over_at = DateTimeField()
    provider_id = StringField()
    sent_at = DateTimeField()
    error = StringField()
    reconcile_due_at = DateTimeField()
    reconciliation = StringField()
    delivered_at = DateTimeField()
    opened_at = DateTimeField()
    clicked_at = DateTimeField()
    replied_at = DateTimeField()
    bounced_at = DateTimeField()
    spam_report_at = DateTimeField()
    unsubscribed_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "outbound_messages",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["dedupe_key"], "unique": True},
            {"fields": ["provider_id"], "partialFilterExpression": {"provider_id": {"$gt": ""}}},
            {
                "fields": ["message_id_header"],
                "partialFilterExpression": {"message_id_header": {"$gt": ""}},
            },
            ("enrollment_id", "created_at"),
            ("campaign_id", "node_id", "state"),
            ("sender_id", "-sent_at"),
            ("tenant_id", "state", "-created_at", "-id"),
            {
                "fields": ["tenant_id", "to_address"],
                "partialFilterExpression": {"to_address": {"$gt": ""}},
            },
            {"fields": ["lease_until"], "partialFilterExpression": {"state": "sending"}},
            {"fields": ["reconcile_due_at"], "sparse": True},
            {
                "fields": ["handed_over_at"],
                "partialFilterExpression": {"state": "unknown"},
                "name": "unknown",
            },
        ],
    }
