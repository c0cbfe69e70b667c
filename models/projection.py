"""Who may write a user's part of a derived store."""

from mongoengine import DateTimeField, Document, IntField, StringField


class ProjectionLease(Document):
    """The one writer of one user in one projection; `id` is "projection:user".

    `fence` is carried into the derived store, which refuses an older one.
    """

    id = StringField(primary_key=True)
    owner = StringField()
    lease_until = DateTimeField()
    fence = IntField(required=True, default=0)

    meta = {"collection": "projection_leases", "auto_create_index": False}  # noqa: RUF012
