"""What is to be done with which mail."""

from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    StringField,
)

RULE_ACTIONS = (
    "move",
    "delete",
    "mark_read",
    "flag",
    "categorize",
    "archive",
    "popup",
    "forward",
)
RULE_SCOPES = ("user", "org")


class RuleConditions(EmbeddedDocument):
    """Which mail a rule is for: all that is set must hold, whatever the case of letters.

    `sender_email`: from any of these addresses.  `sender_domain` is equal to the sender's.
    `subject_contains` and `body_contains` (the first 255 characters of the text) are parts of
    them.  `from_folder` is the id of the folder that the mail arrived in.
    """

    sender_email = ListField(StringField(max_length=320))
    sender_domain = StringField(max_length=255)
    subject_contains = StringField(max_length=500)
    body_contains = StringField(max_length=500)
    from_folder = StringField()


class RuleAction(EmbeddedDocument):
    """One thing that a rule does; `to_folder` is a folder's id, `order` its turn."""

    action_type = StringField(required=True, choices=RULE_ACTIONS)
    to_folder = StringField()
    category = StringField(max_length=255)
    popup_message = StringField(max_length=1000)
    forward_to = ListField(StringField(max_length=320))
    order = IntField(default=0)


class RuleStats(EmbeddedDocument):
    """How often a rule did something."""

    total_executions = IntField(default=0)
    emails_processed = IntField(default=0)
    last_executed_at = DateTimeField()


class Rule(Document):
    """A rule of one mailbox, or of a tenant (`scope` org; without user and mailbox).

    The enabled rule with the lowest `priority` whose conditions hold is the one that is
    executed: the user's own before those of the tenant.  `skip_staging`: what it deletes does
    not wait for 24 hours first.  `graph_rule_id` is the inbox rule at Microsoft that mirrors it;
    `mirror_error` why there is none, although it was asked for.
    """

    user_id = StringField()
    tenant_id = StringField(required=True)
    mailbox_id = StringField()
    name = StringField(required=True, max_length=200)
    source_pattern_id = StringField()
    is_enabled = BooleanField(required=True, default=True)
    skip_staging = BooleanField(required=True, default=False)
    priority = IntField(required=True, default=0)
    conditions = EmbeddedDocumentField(RuleConditions, required=True)
    actions = EmbeddedDocumentListField(RuleAction, required=True)
    stats = EmbeddedDocumentField(RuleStats, default=RuleStats)
    graph_rule_id = StringField()
    mirror_error = StringField()
    scope = StringField(required=True, choices=RULE_SCOPES, default="user")
    created_by = StringField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "rules",
        "auto_create_index": False,
        "indexes": [
            ("user_id", "mailbox_id", "is_enabled", "priority"),
            ("tenant_id", "scope", "is_enabled", "priority"),
            ("user_id", "conditions.sender_email"),
            {
                "fields": ["source_pattern_id"],
                "unique": True,
                "partialFilterExpression": {"source_pattern_id": {"$gt": ""}},
            },
            {"fields": ["graph_rule_id"], "sparse": True},
        ],
    }


class TenantPolicy(Document):
    """What a tenant has set for the mail of all its users; `id` is the tenant's.

    Mail of these senders and domains, in lower case, is never acted upon.
    """

    id = StringField(primary_key=True)
    whitelisted_senders = ListField(StringField(max_length=320))
    whitelisted_domains = ListField(StringField(max_length=255))
    updated_at = DateTimeField()

    meta = {"collection": "tenant_policies", "auto_create_index": False}  # noqa: RUF012
