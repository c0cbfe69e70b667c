"""Push registrations: what a provider was asked to tell us about, and how that goes."""

from mongoengine import (
    BinaryField,
    DateTimeField,
    DictField,
    Document,
    FloatField,
    IntField,
    StringField,
)

SUBSCRIPTION_STATUSES = (
    "pending",
    "active",
    "failed",
    "unsupported",
    "stopping",
    "stopped",
    "expired",
)


class Subscription(Document):
    """One push registration of one stream of one (user, source).

    `id` is the name that we gave it.  `pending`: the provider is being asked;
    if nothing is known by `retry_at`, it may or may not exist there.
    `unsupported`: the provider pushes no changes of this resource.  `stopping`:
    not wanted any more, and the provider must still be told.  While a new
    registration takes over from an old one, a stream has both.

    `retry_at` is when somebody must look at it again: to renew it while it is
    active, else to try again.  `target` is where the provider sends: our
    address, or a Pub/Sub topic.  Of the secret that the provider must show we
    keep `token_hash` alone; `route` stands for the address of a mailbox, which
    is not repeated here.  `held_by` stopped it by hand: it stays so.  Of Microsoft's
    `resource` is what is watched, `change_type` of which changes it tells, and
    `lifecycle_target` where it says what becomes of the subscription itself.

    `live_since`: since then nothing was left out, also by those before it.
    `mean_gap_seconds` is the moving average between events; at `silent_after` it
    has been quiet for `silence_seconds`, longer than that makes likely.  At
    `doubted_at` it must have told of a change that a sync has found, as one that
    came after `doubted_since`; `gaps` counts how often it had not.
    """

    id = StringField(primary_key=True, max_length=64)
    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    provider = StringField(required=True)
    source = StringField(required=True)
    stream = StringField(required=True)
    status = StringField(required=True, choices=SUBSCRIPTION_STATUSES)
    target = StringField(required=True)
    mailbox_id = StringField()
    resource = StringField()
    change_type = StringField()
    lifecycle_target = StringField()
    resource_id = StringField()
    token_hash = BinaryField()
    route = BinaryField()
    expires_at = DateTimeField()
    created_at = DateTimeField(required=True)
    renewed_at = DateTimeField()
    live_since = DateTimeField()
    confirmed_at = DateTimeField()
    retry_at = DateTimeField()
    forget_at = DateTimeField()
    held_by = StringField()

    last_event_at = DateTimeField()
    last_event_number = IntField()
    events = IntField(required=True, default=0)
    mean_gap_seconds = FloatField()
    silence_seconds = FloatField()
    silent_after = DateTimeField()
    doubted_at = DateTimeField()
    doubted_since = DateTimeField()
    gaps = IntField(required=True, default=0)

    error_count = IntField(required=True, default=0)
    last_error = DictField()

    meta = {  # noqa: RUF012
        "collection": "subscriptions",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "source"),
            {  # one at a time asks for a stream, however many jobs would like to
                "fields": ["user_id", "source", "stream"],
                "unique": True,
                "partialFilterExpression": {"status": "pending"},
            },
            {
                "fields": ["provider", "route"],
                "partialFilterExpression": {"route": {"$exists": True}},
            },
            {
                "fields": ["provider", "resource_id"],
                "partialFilterExpression": {"provider": "microsoft"},
            },
            ("source", "status", "target"),
            ("source", "status", "expires_at", "id"),
            {"fields": ["silent_after"], "sparse": True},
            {"fields": ["doubted_at"], "sparse": True},
            {"fields": ["forget_at"], "expireAfterSeconds": 0},
        ],
    }
