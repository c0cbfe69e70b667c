"""Who is signed in to the admin."""

from mongoengine import DateTimeField, Document, IntField, StringField

from models.admin_user import ROLES


class AdminSession(Document):
    """One sign-in of one browser; `id` is the SHA-256 of what its cookie holds.

    It is over when it is deleted or expired, and when `epoch` is not that of its
    account any more.  `role` is the account's at the time of the sign-in.
    """

    id = StringField(primary_key=True)
    user = StringField(required=True)
    role = StringField(required=True, choices=ROLES)
    epoch = IntField(required=True)
    method = StringField(required=True, choices=("password", "oidc"))
    user_agent = StringField()
    created_at = DateTimeField(required=True)
    last_seen_at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "admin_sessions",
        "auto_create_index": False,
        "indexes": ["user", {"fields": ["expires_at"], "expireAfterSeconds": 0}],
    }
