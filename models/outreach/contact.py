"""People that a tenant writes to, and how they came in."""

from mongoengine import (
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    StringField,
)

IMPORT_STATUSES = ("running", "done", "failed")


class Contact(Document):
    """A person that a tenant writes to.

    `email` is in lower case, `phone` in E.164; at least one is there until the contact was
    forgotten.  `fields` are what templates may use beside the names, by name.  `time_zone` is an
    IANA name; empty: the plan's.  `forgotten_at`: all that says who it was is gone.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    external_id = StringField(max_length=200)
    email = StringField(max_length=320)
    phone = StringField(max_length=20)
    first_name = StringField(max_length=200)
    last_name = StringField(max_length=200)
    company = StringField(max_length=200)
    time_zone = StringField(max_length=64)
    fields = DictField()
    import_id = StringField()
    forgotten_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "outreach_contacts",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["tenant_id", "email"],
                "unique": True,
                "partialFilterExpression": {"email": {"$gt": ""}},
            },
            {
                "fields": ["tenant_id", "phone"],
                "unique": True,
                "partialFilterExpression": {"phone": {"$gt": ""}},
            },
            {
                "fields": ["tenant_id", "external_id"],
                "unique": True,
                "partialFilterExpression": {"external_id": {"$gt": ""}},
            },
            ("tenant_id", "-created_at", "-id"),
            ("tenant_id", "import_id"),
        ],
    }


class RowProblem(EmbeddedDocument):
    """Why a row of a file was not taken: its number (the heading is row 1), field and problem."""

    row = IntField(required=True)
    field = StringField(required=True)
    problem = StringField(required=True)


class ContactImport(Document):
    """A file of contacts that was read, and what became of its rows.

    `problems` are the first 10,000; `rejected` counts all.  `updated_at` moves with each batch:
    a `running` one that is silent for long has died.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    file_name = StringField(max_length=255)
    status = StringField(required=True, choices=IMPORT_STATUSES, default="running")
    reason = StringField()
    rows = IntField(required=True, default=0)
    created = IntField(required=True, default=0)
    updated = IntField(required=True, default=0)
    unchanged = IntField(required=True, default=0)
    rejected = IntField(required=True, default=0)
    problems = EmbeddedDocumentListField(RowProblem)
    by = StringField(required=True)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    ended_at = DateTimeField()
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "contact_imports",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "-created_at"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
