"""An organization: the users that belong to it, and the campaigns that it runs."""

from mongoengine import BooleanField, DateTimeField, Document, IntField, StringField


class Tenant(Document):
    """What an organization has set.  One without a row has set nothing.

    `postal_address` goes into mail where the law asks for it.  The limits are messages that may
    be sent in any hour, over all senders and to one recipient domain; empty: those of the
    settings.
    While `outreach_paused` nothing of the tenant's is sent and no contact moves on.
    """

    id = StringField(primary_key=True, max_length=200)
    name = StringField(max_length=200)
    postal_address = StringField(max_length=500)
    sends_per_hour = IntField(min_value=0)
    domain_sends_per_hour = IntField(min_value=0)
    outreach_paused = BooleanField(default=False)
    paused_reason = StringField(max_length=500)
    paused_by = StringField()
    paused_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {"collection": "tenants", "auto_create_index": False}  # noqa: RUF012
