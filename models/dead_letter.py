"""Jobs that will not be tried again without a person."""

from mongoengine import (
    BinaryField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    StringField,
)

DEAD_LETTER_STATUSES = ("open", "replaying", "replayed", "dismissed")
#: While a letter is one of these, its job has no other.
UNSETTLED = ("open", "replaying")


class DeadLetter(Document):
    """A job that failed for good, kept until a person acts on it.

    `id` is the message id of the run that opened it; `message_id` that of the
    newest run that died.  A job id has one letter at a time that is open or
    replaying: dying again, the job adds to `times`, and the letter tells of
    its newest death.  `counted` names the runs already in `times`, so that
    none is counted twice.

    `args` and `options` are JSON as it was in Redis, also where it cannot be
    read.  `replay_token` makes sure that the replay under way is sent once;
    `replay_message_id` is the run that it became.  `expires_at` is set once a
    person has acted.
    """

    id = StringField(primary_key=True)
    job_id = StringField(required=True)
    status = StringField(required=True, choices=DEAD_LETTER_STATUSES, default="open")
    times = IntField(required=True, default=1)
    counted = ListField(StringField())
    first_seen_at = DateTimeField(required=True)
    last_seen_at = DateTimeField(required=True)

    message_id = StringField(required=True)
    job = StringField()
    queue = StringField()
    tenant_id = StringField()
    user_id = StringField()
    args = BinaryField()
    options = BinaryField()
    fingerprint = StringField(required=True)
    reason = StringField()
    error = DictField()
    traceback = StringField()
    attempts = IntField(default=0)
    deaths = IntField(default=0)
    release = StringField()
    worker = StringField()
    correlation_id = StringField()
    log = ListField(DictField())

    replays = IntField(default=0)
    replay_token = StringField()
    replay_message_id = StringField()
    acted_by = StringField()
    acted_at = DateTimeField()
    dismiss_reason = StringField()
    expires_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "dead_letters",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["job_id"],
                "unique": True,
                "partialFilterExpression": {"status": {"$in": list(UNSETTLED)}},
            },
            "counted",
            {"fields": ["user_id"], "sparse": True},
            "first_seen_at",
            ("status", "-last_seen_at", "-id"),
            ("status", "fingerprint", "-last_seen_at", "-id"),
            ("status", "queue", "-last_seen_at", "-id"),
            ("status", "job", "-last_seen_at", "-id"),
            ("status", "tenant_id", "-last_seen_at", "-id"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
