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
CONNECTION_STATUSES = ("active", "needs_reauth", "broken")


class EncryptedValue(EmbeddedDocument):
    """Ciphertext, and the id of the key that opens it."""

    key_id = StringField(required=True)
    ciphertext = BinaryField(required=True)


class Connection(Document):
    """One user's grant to one provider.

    `version` grows with every write of `credentials`; writers compare and set
    it, so that a rotated refresh token is never overwritten by an older one.
    `broken` means that the stored credentials cannot be read; it concerns this
    connection only.
    """

    user_id = StringField(required=True)
    provider = StringField(required=True, choices=PROVIDERS)
    broker = StringField(required=True, choices=("own", "composio"), default="own")
    status = StringField(required=True, choices=CONNECTION_STATUSES, default="active")
    status_reason = StringField()
    credentials = EmbeddedDocumentField(EncryptedValue, required=True)
    granted_scopes = ListField(StringField())
    version = IntField(required=True, default=1)
    connected_at = DateTimeField(required=True)
    refreshed_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "connections",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "provider"], "unique": True},
            "credentials.key_id",
            "status",
        ],
    }


class KeyCheck(Document):
    """A known text under each encryption key, so that a wrong key is noticed at start."""

    id = StringField(primary_key=True)
    ciphertext = BinaryField(required=True)

    meta = {"collection": "key_checks", "auto_create_index": False}  # noqa: RUF012
