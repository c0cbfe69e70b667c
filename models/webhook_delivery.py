"""Notifications of providers as they came in, kept for a while."""

from mongoengine import BooleanField, DateTimeField, Document, IntField, StringField


class WebhookDelivery(Document):
    """One verified notification for one subscription.

    `id` is what the provider gives only once: a notification that is sent again
    has the same.  `open` is there until a job has acted on it.  `number` is the
    provider's count of its notifications, where it counts them; `resource_id`
    is its name for what changed, or for the subscription.  `lifecycle` says what
    becomes of the subscription itself, where it is about that.
    """

    id = StringField(primary_key=True)
    source = StringField(required=True)
    subscription_id = StringField(required=True)
    tenant_id = StringField(required=True)
    number = IntField()
    resource_id = StringField()
    lifecycle = StringField()
    received_at = DateTimeField(required=True)
    open = BooleanField()
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "webhook_deliveries",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["subscription_id", "received_at"],
                "partialFilterExpression": {"open": True},
            },
            {"fields": ["received_at"], "partialFilterExpression": {"open": True}},
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
