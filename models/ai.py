"""What AI was asked for, what it answered, and what that took."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    StringField,
)

AI_TYPES = ("generate-summary", "translate", "categorize", "note-cleanup", "extract-mentions")
AI_ENTITIES = ("record", "thread", "text")
AI_STATUSES = ("queued", "running", "done", "failed", "replaced")
#: Statuses of a request that is still to be answered.
AI_OPEN = ("queued", "running")
AI_PROVIDERS = ("local", "openai", "fallback")


class AiEntity(EmbeddedDocument):
    """What a request is about.

    The id of a `record` is its `_id` in hexadecimal, that of a `thread` "<source>:<the
    provider's thread id>", that of a `text` a hash of it.
    """

    kind = StringField(required=True, choices=AI_ENTITIES)
    id = StringField(required=True, max_length=1100)


class AiRequest(Document):
    """One request to AI, and its result.

    `id` is a hash of tenant, user, type, entity, content, model, options and version of the
    prompt: the same is asked once.  `content` is there only for a submitted text, until
    `content_until`; that of records and threads is read when it is needed.  `running`: somebody
    has claimed it until `lease_until`; `fence` counts the claims, and who has an older one
    writes nothing any more.  `look_at` is when an open one is queued again, in case its job was
    lost.  `replaced`: the content or the model changed meanwhile, and `replaced_by` is the
    request for what is there now.  `provider`, `model` and `prompt_version` say what answered.
    `cost_microusd` is in millionths of a dollar.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    user_id = StringField()
    type = StringField(required=True, choices=AI_TYPES)
    entity = EmbeddedDocumentField(AiEntity, required=True)
    options = DictField()
    content = StringField()
    content_until = DateTimeField()
    content_hash = StringField(required=True)
    status = StringField(required=True, choices=AI_STATUSES, default="queued")
    provider = StringField(required=True, choices=AI_PROVIDERS)
    model = StringField(required=True)
    prompt_version = StringField(required=True)
    result = DictField()
    error = DictField()
    tokens_in = IntField(required=True, default=0)
    tokens_out = IntField(required=True, default=0)
    tokens_cached = IntField(required=True, default=0)
    cost_microusd = IntField(required=True, default=0)
    seconds = FloatField()
    attempts = IntField(required=True, default=0)
    fence = IntField(required=True, default=0)
    lease_until = DateTimeField()
    look_at = DateTimeField()
    replaced_by = StringField()
    requested_by = StringField(required=True)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    done_at = DateTimeField()
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "ai_requests",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "-created_at", "-id"),
            ("tenant_id", "status", "-created_at", "-id"),
            ("tenant_id", "entity.kind", "entity.id", "-created_at", "-id"),
            ("user_id", "-created_at"),
            {
                "fields": ["look_at"],
                "partialFilterExpression": {"status": {"$in": list(AI_OPEN)}},
            },
            {
                "fields": ["content_until"],
                "partialFilterExpression": {"content_until": {"$exists": True}},
            },
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }


class AiUsage(Document):
    """One call to a provider of AI, or one piece of work done without; written before it begins.

    `id` is "<request>:<fence>:<provider>".  One that was not `answered` may have been lost on
    the way, or its worker was killed: its tokens are what was expected of them.
    `tokens_cached` are a part of `tokens_in`.
    """

    id = StringField(primary_key=True)
    tenant_id = StringField(required=True)
    user_id = StringField()
    request_id = StringField(required=True)
    type = StringField(required=True)
    entity = EmbeddedDocumentField(AiEntity)
    provider = StringField(required=True, choices=AI_PROVIDERS)
    model = StringField(required=True)
    answered = BooleanField(required=True, default=False)
    tokens_in = IntField(required=True, default=0)
    tokens_out = IntField(required=True, default=0)
    tokens_cached = IntField(required=True, default=0)
    cost_microusd = IntField(required=True, default=0)
    seconds = FloatField()
    at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "ai_usage",
        "auto_create_index": False,
        "indexes": [
            ("tenant_id", "at"),
            ("request_id",),
            ("user_id",),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }
