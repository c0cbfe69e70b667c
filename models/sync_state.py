"""How far our copy of one user's source has got, and the history of its syncs."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    MapField,
    StringField,
)

SYNC_STATUSES = (
    "idle",
    "queued",
    "syncing",
    "rate_limited",
    "error",
    "needs_reauth",
    "paused",
)


#: Statuses that say that something is wrong, or waits for somebody.
TROUBLED = ("rate_limited", "error", "needs_reauth", "paused")


class Listing(EmbeddedDocument):
    """A full listing that is under way: its generation and where to go on.

    `cursor` is set once every page has landed and only the sweep is left;
    `unidentified` counts items without a readable id, which forbid the sweep.
    """

    generation = IntField(required=True)
    started_at = DateTimeField(required=True)
    touched_at = DateTimeField(required=True)
    start = DictField()
    fingerprint = StringField()
    resume = DictField(null=True)
    done = IntField(default=0)
    total = IntField()
    unidentified = IntField(default=0)
    cursor = DictField(null=True)


class Stream(EmbeddedDocument):
    """A part of a source with its own cursor.

    `generation` is that of the last complete listing; a record of this stream
    with an older one was not seen by it.  `fingerprint` is a hash of the
    request's parameters: providers refuse a cursor with other parameters.
    """

    name = StringField(required=True)
    cursor = DictField()
    fingerprint = StringField()
    generation = IntField(default=0)
    listed_at = DateTimeField()
    listing = EmbeddedDocumentField(Listing)
    removed = BooleanField()
    error = StringField()


class Watermark(EmbeddedDocument):
    """How far a projection has caught up with this source.

    `due_at` is set exactly while it lags; `failures` counts tries in a row.
    `fence` is that of the writer who moved it last.
    """

    seq = IntField(default=0)
    fence = IntField(default=0)
    due_at = DateTimeField()
    failures = IntField(default=0)
    error = DictField()


class SyncState(Document):
    """How far our copy of one user's source has got.

    `next_due_at` is when dispatch looks at this state again, whatever its
    status; it is unset only while paused or needs_reauth.  `fence` grows with
    every claim; a write that carries an older one is refused.  `session` is the
    database session of the run under way.  `tenant_id` is a copy of the user's,
    so that dispatch knows the tenant of a million states without their users; so is
    `mailbox_id` the mailbox of those of `microsoft_mail`.

    `inactive_since` is set while it is paused because its user is not active.

    `stale_at` is when the copy stops being as fresh as was promised; of the stall that
    began at `stall_told_for` the user was told.
    `live_push_until`: until then the provider pushes every change, so polling is
    only a safety net; `pushed_at` is when it did last.  `cadence` says how often
    this state is polled, and why: interval_seconds, why, changes_per_hour, rated_at.
    `push` is about its subscriptions: `due_at`, when they are looked at next;
    `why_not`, why there are none; `version`, which every look counts up.
    """

    user_id = StringField(required=True)
    tenant_id = StringField()
    source = StringField(required=True)
    mailbox_id = StringField()
    status = StringField(required=True, choices=SYNC_STATUSES, default="idle")
    streams = MapField(EmbeddedDocumentField(Stream))
    seq = IntField(required=True, default=0)
    projections = MapField(EmbeddedDocumentField(Watermark))
    fence = IntField(required=True, default=0)
    owner = StringField()
    session = DictField()
    lease_until = DateTimeField()
    next_due_at = DateTimeField()
    requested_at = DateTimeField()
    inactive_since = DateTimeField()
    fresh_as_of = DateTimeField()
    stale_at = DateTimeField()
    stall_told_for = DateTimeField()
    live_push_until = DateTimeField()
    pushed_at = DateTimeField()
    cadence = DictField()
    push = DictField()
    last_attempt_at = DateTimeField()
    last_success_at = DateTimeField()
    consecutive_failures = IntField(required=True, default=0)
    last_error = DictField()
    records = IntField(required=True, default=0)
    rejected = IntField(required=True, default=0)

    meta = {  # noqa: RUF012
        "collection": "sync_states",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "source"], "unique": True},
            ("source", "next_due_at"),
            {"fields": ["projections.graph.due_at"], "sparse": True},
            {"fields": ["projections.search.due_at"], "sparse": True},
            {"fields": ["projections.mailbox.due_at"], "sparse": True},
            ("source", "fresh_as_of"),
            ("source", "status", "stale_at"),
            ("source", "push.due_at", "fresh_as_of"),
            ("stale_at", "user_id", "source"),
            {  # what an operator looks for: few, as long as all is well
                "fields": ["status", "user_id", "source"],
                "partialFilterExpression": {"status": {"$in": list(TROUBLED)}},
            },
        ],
    }


class SyncRun(Document):
    """One sync that ran: what it did, or why it stopped.  Kept for a while."""

    user_id = StringField(required=True)
    source = StringField(required=True)
    outcome = StringField(required=True)
    started_at = DateTimeField(required=True)
    seconds = FloatField(required=True)
    calls = IntField(default=0)
    created = IntField(default=0)
    updated = IntField(default=0)
    deleted = IntField(default=0)
    unchanged = IntField(default=0)
    rejected = IntField(default=0)
    error = DictField()
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "sync_runs",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "source", "-started_at"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
