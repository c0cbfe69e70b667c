"""Who may sign in to the admin."""

from mongoengine import BooleanField, DateTimeField, Document, IntField, StringField

#: From the least to the most that one may do; each may also do what those before it may.
ROLES = ("viewer", "operator", "admin")


class AdminUser(Document):
    """An account of the admin; `id` is its name.

    `password_hash` is argon2's own text (algorithm, parameters, salt, hash); it
    is empty for who comes by OpenID Connect, whose `subject` is "issuer subject"
    as the issuer says it, and whose role is what the issuer said last.  `epoch`
    grows when the role or the password changes, when the account is disabled,
    and when everything of it is signed out: sessions of an older epoch are over.
    `needed_at` is when another admin was last taken away, who left this one.
    """

    id = StringField(primary_key=True, max_length=64)
    role = StringField(required=True, choices=ROLES)
    password_hash = StringField()
    subject = StringField()
    disabled = BooleanField(required=True, default=False)
    epoch = IntField(required=True)
    created_at = DateTimeField(required=True)
    created_by = StringField(required=True)
    last_sign_in_at = DateTimeField()
    needed_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "admin_users",
        "auto_create_index": False,
        "indexes": [{"fields": ["subject"], "unique": True, "sparse": True}],
    }
