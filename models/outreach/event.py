"""What recipients and providers did with messages, and how we were told."""

from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    StringField,
)

EVENT_TYPES = (
    "delivered", "opened", "clicked", "replied", "bounced", "spam_report", "unsubscribed",
    "resubscribed", "no_open", "no_click",
)  # fmt: skip


class OutreachEvent(Document):
    """Something that happened to one message; `id` is "<provider>:<the provider's event id>".

    A timer's own events, no_open and no_click, are "headrace:<message>:<type>".  `is_machine`:
    a program has opened it, not a person; that moves nobody on.  `data` never names anybody:
    a bounce's class and code, the address of a link.  `effect` says what came of it, and
    `led_to` is the state_version of its enrollment that it led to: it leads nowhere else.
    `proved`: a click has led on as the opening that it proves, and still may as a click.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    enrollment_id = StringField(required=True)
    contact_id = StringField(required=True)
    message_id = StringField(required=True)
    node_id = StringField(required=True)
    provider = StringField(required=True)
    type = StringField(required=True, choices=EVENT_TYPES)
    is_machine = BooleanField()
    occurred_at = DateTimeField(required=True)
    received_at = DateTimeField(required=True)
    delivery_id = StringField()
    data = DictField()
    effect = StringField()
    led_to = IntField()
    proved = BooleanField()

    meta = {  # noqa: RUF012
        "collection": "outreach_events",
        "auto_create_index": False,
        "indexes": [
            ("message_id", "occurred_at"),
            ("enrollment_id", "occurred_at"),
            ("campaign_id", "type", "occurred_at"),
        ],
    }


class OutreachDelivery(Document):
    """A request of a provider's as it came in, verified; `id` is the SHA-256 of what was signed.

    `open` is there until a job has worked through it.  `sender_id` is whose endpoint it came to,
    where each sender has its own, and `message_id` the message that its address named.  `raw`
    are the bytes of its body.  `problems` say which entries could not be read, by path and
    without what they hold.
    """

    id = StringField(primary_key=True)
    provider = StringField(required=True)
    kind = StringField(required=True, choices=("events", "status", "inbound"))
    sender_id = StringField()
    message_id = StringField()
    raw = BinaryField(required=True)
    received_at = DateTimeField(required=True)
    open = BooleanField()
    attempts = IntField(required=True, default=0)
    processed_at = DateTimeField()
    status = StringField(
        required=True, choices=("received", "processed", "partial", "failed"), default="received"
    )
    counts = DictField()
    tenant_ids = ListField(StringField())
    problems = ListField(StringField())
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "outreach_deliveries",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["received_at"], "partialFilterExpression": {"open": True}},
            ("-received_at", "-id"),
            ("tenant_ids", "-received_at", "-id"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
