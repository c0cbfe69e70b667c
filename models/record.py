"""Provider items as landed, and those that could not be."""

from hashlib import blake2b

from mongoengine import (
    BinaryField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    StringField,
)


def record_id(user_id: str, source: str, stream: str, item_id: str) -> bytes:
    """Return the `_id` of a record: 16 bytes that stand for what makes it unique.

    Provider ids are unique only within their stream and may be long; the hash
    keeps the one index that every write needs small.
    """
    identity = "\x00".join((user_id, source, stream, item_id))
    return blake2b(identity.encode(), digest_size=16).digest()


class Record(Document):
    """One provider item as it came.

    `item` is empty once the provider deleted it (`deleted_at`); the row stays,
    so that projections learn of the deletion.  `seq` numbers every change per
    (user, source); `content_hash` tells a changed item from a repeated one.
    """

    id = BinaryField(primary_key=True)
    user_id = StringField(required=True)
    source = StringField(required=True)
    stream = StringField(required=True)
    item_id = StringField(required=True)
    item = DictField()
    content_hash = BinaryField()
    generation = IntField(required=True)
    seq = IntField(required=True)
    landed_at = DateTimeField(required=True)
    deleted_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "records",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "source", "seq"], "unique": True},
            ("user_id", "source", "stream", "deleted_at", "generation"),
            {  # the exceptions of a recurring event, which go when it goes
                "fields": ["user_id", "source", "stream", "item.recurringEventId"],
                "partialFilterExpression": {"item.recurringEventId": {"$exists": True}},
            },
            # The mails of a thread, as their sources name it.
            {
                "fields": ["user_id", "item.threadId"],
                "partialFilterExpression": {"item.threadId": {"$exists": True}},
            },
            {
                "fields": ["user_id", "item.conversationId"],
                "partialFilterExpression": {"item.conversationId": {"$exists": True}},
            },
        ],
    }


class RejectedItem(Document):
    """An item that did not pass the quality gate, set aside with the reason.

    Kept until a later version of the same item lands.  `raw` is the item as
    JSON text, since what is wrong with it may be something MongoDB refuses.
    """

    id = BinaryField(primary_key=True)
    user_id = StringField(required=True)
    source = StringField(required=True)
    stream = StringField(required=True)
    item_id = StringField()
    reason = StringField(required=True)
    raw = StringField(required=True)
    rejected_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "rejected_items",
        "auto_create_index": False,
        "indexes": [("user_id", "source", "-rejected_at")],
    }
