"""Where a contact is in a campaign, how it got there, and what is to happen next."""

from mongoengine import DateTimeField, DictField, Document, IntField, StringField

ENROLLMENT_STATUSES = ("pending", "active", "paused", "completed", "stopped", "error")
#: Statuses that nothing follows.
ENROLLMENT_OVER = ("completed", "stopped", "error")
ACTION_KINDS = ("send", "timeout")
ACTION_STATUSES = ("pending", "queued", "completed", "canceled", "error")
#: Statuses of an action that is still to happen.
ACTION_OPEN = ("pending", "queued")


class Enrollment(Document):
    """One contact in one campaign; `id` is "<campaign>:<contact>".

    `pending`: the campaign has not begun with it.  `state_version` grows with every change of
    status or node: whoever writes compares it first.  `node_entered_at` is by the clock of what
    led there (the event's time, a timer's deadline), never in the future.  `message_id` is the
    OutboundMessage that was last claimed or sent, and `sent_at` when that of the present node
    was: times of a send node run from then, those of a wait node from its entry; there
    events of the last message count that are not older than `events_from`.
    `claimed_version` is the state in which a message was last claimed.  `looks` grows with every
    transaction that decided by this row, so that two at once are in each other's way.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    contact_id = StringField(required=True)
    plan_version = IntField(required=True)
    status = StringField(required=True, choices=ENROLLMENT_STATUSES, default="pending")
    reason = StringField(max_length=500)
    node_id = StringField()
    node_entered_at = DateTimeField()
    sent_at = DateTimeField()
    message_id = StringField()
    events_from = DateTimeField()
    state_version = IntField(required=True, default=0)
    claimed_version = IntField()
    looks = IntField(required=True, default=0)
    started_at = DateTimeField()
    ended_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "enrollments",
        "auto_create_index": False,
        "indexes": [
            ("campaign_id", "status", "id"),
            ("campaign_id", "node_id"),
            ("tenant_id", "contact_id"),
            ("tenant_id", "status", "-updated_at", "-id"),
        ],
    }


class EnrollmentTransition(Document):
    """One change of an enrollment's status or node; `id` is "<enrollment>:<state_version>".

    `trigger` is the event or timer that led to it (opened, no_open, …) or what somebody did
    (started, paused, resumed, stopped, …).  `occurred_at` is when that happened, `recorded_at`
    when we learnt of it.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    enrollment_id = StringField(required=True)
    state_version = IntField(required=True)
    trigger = StringField(required=True)
    from_status = StringField()
    to_status = StringField(required=True)
    from_node = StringField()
    to_node = StringField()
    event_id = StringField()
    reason = StringField(max_length=500)
    by = StringField()
    occurred_at = DateTimeField(required=True)
    recorded_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "enrollment_transitions",
        "auto_create_index": False,
        "indexes": [
            ("enrollment_id", "state_version"),
            ("campaign_id", "-recorded_at"),
        ],
    }


class ScheduledAction(Document):
    """Something that is to happen to an enrollment at `due_at`: a send, or the end of a wait.

    `id` says what it is for, so that it is there once: "send:<enrollment>:<node>:<state_version>",
    "timeout:<enrollment>:<node>:<event>:<state_version>".  It is good only while its enrollment
    is active in that `state_version`.  `planned_at` is when it would be without quiet hours and
    limits; `because` says in words why it is due when it is.  `queued`: a send whose job is on
    its way.  `sender_id`, `channel` and `domain` (of the recipient) are a send's; `event` is that
    of a timeout.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    campaign_id = StringField(required=True)
    enrollment_id = StringField(required=True)
    contact_id = StringField(required=True)
    kind = StringField(required=True, choices=ACTION_KINDS)
    node_id = StringField(required=True)
    state_version = IntField(required=True)
    event = StringField()
    sender_id = StringField()
    channel = StringField()
    domain = StringField()
    status = StringField(required=True, choices=ACTION_STATUSES, default="pending")
    due_at = DateTimeField(required=True)
    planned_at = DateTimeField(required=True)
    because = StringField()
    queued_at = DateTimeField()
    attempts = IntField(required=True, default=0)
    last_error = StringField()
    data = DictField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    expires_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "scheduled_actions",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["kind", "due_at"],
                "partialFilterExpression": {"status": "pending"},
                "name": "kind_due_pending",
            },
            {
                "fields": ["sender_id", "due_at"],
                "partialFilterExpression": {"status": "pending", "kind": "send"},
                "name": "sender_due_pending",
            },
            {
                "fields": ["tenant_id", "domain", "due_at"],
                "partialFilterExpression": {"status": "pending", "kind": "send"},
                "name": "domain_due_pending",
            },
            {
                "fields": ["sender_id", "queued_at"],
                "partialFilterExpression": {"status": "queued"},
                "name": "sender_queued",
            },
            {
                "fields": ["queued_at"],
                "partialFilterExpression": {"status": "queued"},
                "name": "queued_at_queued",
            },
            ("enrollment_id", "status"),
            ("campaign_id", "status", "due_at", "id"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
