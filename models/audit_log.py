"""What people did, or tried to do."""

from mongoengine import DateTimeField, DictField, Document, ObjectIdField, StringField

AUDIT_OUTCOMES = ("started", "done", "refused", "failed")
AUDIT_ORIGINS = ("web", "api", "cli")


class AuditLog(Document):
    """One act of one person.

    The row is there, `started`, before anything is done.  One that stays so tells
    of a process that ended in between: what came of the act is not known.
    `action` is "thing.verb" and `target` "kind id", such as "queue.pause" and
    "queue graph".  `details` are scalars; no row holds a secret, an address of a
    person or of a browser, or content.
    """

    id = ObjectIdField(primary_key=True)
    at = DateTimeField(required=True)
    ended_at = DateTimeField()
    actor = StringField(required=True)
    role = StringField()
    action = StringField(required=True)
    target = StringField()
    outcome = StringField(required=True, choices=AUDIT_OUTCOMES)
    error = StringField()  # the class of the error that ended it
    details = DictField()
    origin = StringField(required=True, choices=AUDIT_ORIGINS)
    correlation_id = StringField(required=True)
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "audit_log",
        "auto_create_index": False,
        "indexes": [
            ("-at", "-id"),
            ("actor", "-at", "-id"),
            ("action", "-at", "-id"),
            ("target", "-at", "-id"),
            ("outcome", "-at", "-id"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
