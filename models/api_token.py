"""What programs sign in to the API with."""

from mongoengine import DateTimeField, Document, ListField, StringField


class ApiToken(Document):
    """A bearer token of the API, of which only its SHA-256 is kept, in hex, as `id`.

    Names are not used again, so that an audit row names one token for good.  With
    `tenant_id` it sees and touches only users of that tenant.  Without `expires_at`
    it holds until it is revoked; `last_used_at` lags by up to a minute.
    """

    id = StringField(primary_key=True)
    name = StringField(required=True, max_length=64)
    scopes = ListField(StringField(), required=True)
    tenant_id = StringField()
    created_at = DateTimeField(required=True)
    created_by = StringField(required=True)
    expires_at = DateTimeField()
    last_used_at = DateTimeField()
    revoked_at = DateTimeField()
    revoked_by = StringField()

    meta = {  # noqa: RUF012
        "collection": "api_tokens",
        "auto_create_index": False,
        "indexes": [{"fields": ["name"], "unique": True}],
    }
