"""Users who are being erased, or were: what keeps a late job from bringing them back."""

from mongoengine import DateTimeField, DictField, Document, IntField, StringField

ERASURE_STATUSES = ("erasing", "erased", "closed")


class Erasure(Document):
    """The erasing of one user; `id` is a hash of the user's id.

    `erasing` until nothing is left, then `erased` until it has been looked once
    more for what came late, then `closed`; until then `user_id` is kept.
    `check_at` is when a job must be at it, `rounds` how often nothing was left.
    `counts` has how much was deleted of what, `grants` what became of each.
    """

    id = StringField(primary_key=True)
    user_id = StringField()
    status = StringField(required=True, choices=ERASURE_STATUSES, default="erasing")
    by = StringField(required=True)
    asked_at = DateTimeField(required=True)
    erased_at = DateTimeField()
    check_at = DateTimeField()
    rounds = IntField(required=True, default=0)
    counts = DictField()
    grants = DictField()

    meta = {  # noqa: RUF012
        "collection": "erasures",
        "auto_create_index": False,
        "indexes": [{"fields": ["check_at"], "sparse": True}],
    }
