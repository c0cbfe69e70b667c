"""Addresses that a tenant does not write to any more."""

from mongoengine import DateTimeField, DictField, Document, IntField, StringField

from models.outreach.sender import CHANNELS

SUPPRESSION_REASONS = ("unsubscribed", "bounced", "spam_report", "invalid", "manual")


class Suppression(Document):
    """An address that nothing is sent to; `id` is "<tenant>:<channel>:<address_hash>".

    `address_hash` is the SHA-256 of the normalized address: a contact can be forgotten, with
    `address` emptied, and is still not written to.  `source` is who said so (link, one_click,
    sendgrid, twilio, admin, …).  Without `expires_at` it holds until somebody lifts it.
    An address may be suppressed for several reasons at once: `grounds` has each of them with
    what the other fields say of it, and they say it of the one that binds most.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    channel = StringField(required=True, choices=CHANNELS)
    address_hash = StringField(required=True)
    address = StringField()
    reason = StringField(required=True, choices=SUPPRESSION_REASONS)
    source = StringField(required=True)
    campaign_id = StringField()
    contact_id = StringField()
    message_id = StringField()
    note = StringField(max_length=500)
    count = IntField(required=True, default=1)
    first_seen_at = DateTimeField(required=True)
    last_seen_at = DateTimeField(required=True)
    expires_at = DateTimeField()
    by = StringField()
    grounds = DictField()

    meta = {  # noqa: RUF012
        "collection": "suppressions",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "channel", "-last_seen_at", "-id"),
            ("tenant_id", "contact_id"),
        ],
    }
