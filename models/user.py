"""A person whose data is kept."""

from mongoengine import DateTimeField, Document, StringField

#: The tenant of users that nobody has given one.
DEFAULT_TENANT = "default"


class User(Document):
    """A person whose data is kept.  `id` is the id that the host application uses."""

    id = StringField(primary_key=True, max_length=200)
    tenant_id = StringField(required=True, default=DEFAULT_TENANT)
    created_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "users",
        "auto_create_index": False,
        "indexes": [("tenant_id", "id")],
    }
