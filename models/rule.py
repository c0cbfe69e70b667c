"""What is to be done with which mail."""

import re
from collections.abc import Sequence

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
    ValidationError,
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
#: What a rule of a tenant may do: nothing that needs a folder of one mailbox, or sends mail.
ORG_ACTIONS = ("delete", "archive", "mark_read", "flag", "categorize", "popup")
#: What an action cannot do without.
NEEDS = {
    "move": "to_folder",
    "categorize": "category",
    "popup": "popup_message",
    "forward": "forward_to",
}
MOST_ACTIONS = 10
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_DOMAIN = re.compile(r"[^@\s,;<>.]+(\.[^@\s,;<>.]+)+")


def is_address(text: str) -> bool:
    """Return whether `text` has the form of a mail address."""
    return isinstance(text, str) and bool(_ADDRESS.fullmatch(text))


def is_domain(text: str) -> bool:
    """Return whether `text` has the form of a domain."""
    return isinstance(text, str) and bool(_DOMAIN.fullmatch(text))


def check_senders(addresses: Sequence[str]) -> None:
    """Refuse a whitelist that no sender could be found in."""
    if not all(is_address(address) and address == address.lower() for address in addresses):
        raise ValidationError("expected addresses in lower case, such as name@example.com")


def check_domains(domains: Sequence[str]) -> None:
    """Refuse a whitelist that no domain could be found in."""
    if not all(is_domain(domain) and domain == domain.lower() for domain in domains):
        raise ValidationError("expected domains in lower case, such as example.com")


def _check_actions(actions: Sequence["RuleAction"]) -> None:
    """Refuse actions that lack what they need, or that contradict each other."""
    if not 1 <= len(actions) <= MOST_ACTIONS:
        raise ValidationError(f"give a rule 1 to {MOST_ACTIONS} actions")
    kinds = [action.action_type for action in actions]
    for action in actions:
        needed = NEEDS.get(action.action_type)
        if needed and not getattr(action, needed):
            raise ValidationError(f"{needed}: {action.action_type} needs one")
        if not all(is_address(address) for address in action.forward_to):
            raise ValidationError("forward_to: expected addresses such as name@example.com")
    if len(kinds) != len(set(kinds)):
        raise ValidationError("name each kind of action once")
    if sum(kind in ("move", "archive", "delete") for kind in kinds) > 1:
        raise ValidationError("move, archive and delete exclude each other: keep one of them")


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

    def clean(self) -> None:
        """Refuse conditions that would hold for no mail, or for any."""
        if not any(getattr(self, name) for name in self._fields):
            raise ValidationError("set at least one condition: without any, no mail is meant")
        if not all(is_address(address) for address in self.sender_email):
            raise ValidationError("sender_email: expected addresses such as name@example.com")
        if self.sender_domain and not is_domain(self.sender_domain):
            raise ValidationError("sender_domain: expected a domain such as example.com")


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
    `mirror_error` why there is none, although it was asked for.  `version` grows with every change
    of what the rule says.
    """

    user_id = StringField()
    tenant_id = StringField(required=True)
    mailbox_id = StringField()
    name = StringField(required=True, min_length=1, max_length=200)
    source_pattern_id = StringField()
    is_enabled = BooleanField(required=True, default=True)
    skip_staging = BooleanField(required=True, default=False)
    priority = IntField(required=True, default=0)
    conditions = EmbeddedDocumentField(RuleConditions, required=True)
    actions = EmbeddedDocumentListField(RuleAction, required=True, validation=_check_actions)
    stats = EmbeddedDocumentField(RuleStats, default=RuleStats)
    graph_rule_id = StringField()
    mirror_error = StringField()
    scope = StringField(required=True, choices=RULE_SCOPES, default="user")
    created_by = StringField()
    version = IntField(required=True, default=0)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    def clean(self) -> None:
        """Refuse a rule that is neither of one mailbox nor of a tenant, or does what it may not."""
        if self.scope == "user":
            if not (self.user_id and self.mailbox_id):
                raise ValidationError("mailbox_id: a rule needs a mailbox")
            return
        if self.user_id or self.mailbox_id:
            raise ValidationError("mailbox_id: a rule of a tenant has no mailbox")
        if self.conditions and self.conditions.from_folder:
            raise ValidationError("from_folder: a rule of a tenant knows no folder of a mailbox")
        if not {action.action_type for action in self.actions} <= set(ORG_ACTIONS):
            raise ValidationError(f"actions: a rule of a tenant may only {', '.join(ORG_ACTIONS)}")

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
    whitelisted_senders = ListField(StringField(max_length=320), validation=check_senders)
    whitelisted_domains = ListField(StringField(max_length=255), validation=check_domains)
    #: Counts up with every rule that forwards, so that two cannot make a circle at once.
    forwards = IntField(default=0)
    updated_at = DateTimeField()

    meta = {"collection": "tenant_policies", "auto_create_index": False}  # noqa: RUF012
