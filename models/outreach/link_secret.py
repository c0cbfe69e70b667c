"""The secret that links in messages are signed with."""

from mongoengine import DateTimeField, Document, EmbeddedDocumentField, StringField

from models.connection import EncryptedValue


class LinkSecret(Document):
    """A random secret, encrypted, made when it is first needed.

    Links in mail must work for years: they would not outlast a key of ENCRYPTION_KEYS.
    """

    id = StringField(primary_key=True)
    secret = EmbeddedDocumentField(EncryptedValue, required=True)
    created_at = DateTimeField(required=True)

    meta = {"collection": "link_secrets", "auto_create_index": False}  # noqa: RUF012
