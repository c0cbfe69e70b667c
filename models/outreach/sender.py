"""Whom messages come from: an address, the provider that carries them, and what it may send."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    IntField,
    StringField,
)

from models.connection import EncryptedValue

CHANNELS = ("email", "sms")
#: Which provider carries which channel.
SENDER_PROVIDERS = {"sendgrid": "email", "smtp": "email", "twilio": "sms"}
SENDER_STATUSES = ("unverified", "verified", "failing", "disabled")


class SendLimits(EmbeddedDocument):
    """How many messages in any minute, hour and day; empty: the setting of the channel."""

    per_minute = IntField(min_value=0)
    per_hour = IntField(min_value=0)
    per_day = IntField(min_value=0)


class SenderIdentity(Document):
    """An address of a tenant's that messages are sent from.

    `address` is an e-mail address in lower case, or a telephone number in E.164.  Only a
    `verified` one sends: the provider has accepted its credentials and the address.  `failing`:
    the provider refused it since; it sends again once it was verified anew.  `credentials` is the
    provider's secret, encrypted; empty: that of the settings.  `user_id` is the user whose synced
    mailbox replies come to; `reply_seqs` is how far it was looked through, by source.
    `hold_until` is when it may send again after the provider asked us to wait.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    name = StringField(required=True, max_length=200)
    channel = StringField(required=True, choices=CHANNELS)
    provider = StringField(required=True, choices=tuple(SENDER_PROVIDERS))
    address = StringField(required=True, max_length=320)
    display_name = StringField(max_length=200)
    reply_to = StringField(max_length=320)
    user_id = StringField()
    credentials = EmbeddedDocumentField(EncryptedValue)
    limits = EmbeddedDocumentField(SendLimits)
    status = StringField(required=True, choices=SENDER_STATUSES, default="unverified")
    status_reason = StringField()
    is_paused = BooleanField(required=True, default=False)
    hold_until = DateTimeField()
    verified_at = DateTimeField()
    reply_seqs = DictField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "sender_identities",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["tenant_id", "channel", "address"], "unique": True},
            {"fields": ["user_id"], "partialFilterExpression": {"user_id": {"$gt": ""}}},
            {
                "fields": ["credentials.key_id"],
                "partialFilterExpression": {"credentials.key_id": {"$gt": ""}},
            },
        ],
    }
