"""Which index search looks into, and the one that is about to replace it."""

from mongoengine import BinaryField, DateTimeField, Document, IntField, StringField

REBUILD_STATUSES = ("filling", "switched", "done")


class SearchIndex(Document):
    """The collection that MongoDB's own text search looks into; `id` is "current"."""

    id = StringField(primary_key=True)
    name = StringField(required=True)

    meta = {"collection": "search_index", "auto_create_index": False}  # noqa: RUF012


class SearchRebuild(Document):
    """A new index that is being filled; there is at most one that is not done.

    `after` is the id of the last record that was looked at, `records` how many were, of
    `total` that there were in the beginning.  `store` is where the index is.  While it is
    `filling`, what lands is written to both indexes; when it has `switched`, the former one
    is dropped as soon as nobody can be writing to it any more.
    """

    id = StringField(primary_key=True)
    store = StringField(required=True)
    index = StringField(required=True)
    former = StringField()
    status = StringField(required=True, choices=REBUILD_STATUSES)
    after = BinaryField()
    records = IntField(required=True, default=0)
    total = IntField(required=True, default=0)
    by = StringField(required=True)
    started_at = DateTimeField(required=True)
    switched_at = DateTimeField()
    done_at = DateTimeField()

    meta = {  # noqa: RUF012
        "collection": "search_rebuilds",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["store"],
                "name": "one_at_a_time",
                "unique": True,
                "partialFilterExpression": {"status": {"$in": ["filling", "switched"]}},
            },
            ("-started_at",),
        ],
    }
