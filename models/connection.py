"""A user's grant to a provider, its credentials encrypted."""

from mongoengine import (
    BinaryField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    IntField,
    ListField,
    StringField,
)

PROVIDERS = ("google", "microsoft")
CONNECTION_STATUSES = ("active", "needs_reauth", "broken", "disconnected")


class EncryptedValue(EmbeddedDocument):
    """Ciphertext, and the id of the key that opens it."""

    key_id = StringField(required=True)
    ciphertext = BinaryField(required=True)


class Connection(Document):
    """One user's grant to one provider.

    `version` grows with every write of `credentials`; writers compare and set
    it, so that a rotated refresh token is never overwritten by an older one.
    `broken` means that the stored credentials cannot be read; it concerns this
    connection only.  `account_id` is the provider's own id of the person (`sub`
    of OpenID Connect) and `email` its address in lower case, where they are
    known: the same account may be connected by several users.  A connection that
    is `disconnected` keeps them, so that another account is not connected to the
    same copy by mistake; its credentials are gone once the provider was told.
    `refresh_due_at` is when a grant is refreshed that nobody else has refreshed by then;
    only Microsoft's is, which ends when it is not used.  A grant of Microsoft's that was
    found dead is due at once, so that its user is told.  `refresh_failures` counts tries
    in a row.
    """

    user_id = StringField(required=True)
    provider = StringField(required=True, choices=PROVIDERS)
    broker = StringField(required=True, choices=("own", "composio"), default="own")
    status = StringField(required=True, choices=CONNECTION_STATUSES, default="active")
    status_reason = StringField()
    account_id = StringField()
    email = StringField()
    credentials = EmbeddedDocumentField(EncryptedValue)
    granted_scopes = ListField(StringField())
    version = IntField(required=True, default=1)
    connected_at = DateTimeField(required=True)
    refreshed_at = DateTimeField()
    token_expires_at = DateTimeField()
    refresh_due_at = DateTimeField()
    refresh_failures = IntField()

    meta = {  # noqa: RUF012
        "collection": "connections",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "provider"], "unique": True},
            "credentials.key_id",
            "status",
            {"fields": ["provider", "account_id"], "sparse": True},
            {"fields": ["provider", "email"], "sparse": True},
            {"fields": ["refresh_due_at"], "sparse": True},
            {  # ended, and the provider was not told yet
                "fields": ["connected_at"],
                "partialFilterExpression": {
                    "status": "disconnected",
                    "credentials": {"$exists": True},
                },
            },
        ],
    }


class KeyCheck(Document):
    """A known text under each encryption key, so that a wrong key is noticed at start."""

    id = StringField(primary_key=True)
    ciphertext = BinaryField(required=True)

    meta = {"collection": "key_checks", "auto_create_index": False}  # noqa: RUF012
