"""Who may write a user's part of a derived store."""

from mongoengine import DateTimeField, DictField, Document, IntField, StringField


class ProjectionLease(Document):
    """The one writer of one user in one projection; `id` is "projection:user".

    `fence` is carried into the derived store, which refuses an older one.  `session` is the
    database session of a writer whose transactions would outlive it, and
    `former_session` that of the one before, if it ended without giving the lease back.
    """

    id = StringField(primary_key=True)
    owner = StringField()
    lease_until = DateTimeField()
    fence = IntField(required=True, default=0)
    session = DictField()
    former_session = DictField()

    meta = {"collection": "projection_leases", "auto_create_index": False}  # noqa: RUF012
