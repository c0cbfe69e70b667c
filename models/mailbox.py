"""A Microsoft 365 mailbox: whose it is, how it is set, and how its looks go."""

from collections.abc import Sequence

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    ListField,
    StringField,
    ValidationError,
)

from models.rule import check_domains, check_senders


class Signature(EmbeddedDocument):
    """A signature for mail that the user writes; `id` is unique in its mailbox."""

    id = StringField(required=True, max_length=64)
    name = StringField(required=True, max_length=200)
    content = StringField(default="", max_length=20_000)
    is_default = BooleanField(default=False)


def _check_signatures(signatures: Sequence[Signature]) -> None:
    """Refuse signatures that cannot be told apart, or of which several are the default."""
    if len({one.id for one in signatures}) < len(signatures):
        raise ValidationError("give each signature an id of its own")
    if sum(bool(one.is_default) for one in signatures) > 1:
        raise ValidationError("only one signature can be the default")


class MailboxSettings(EmbeddedDocument):
    """What a user has set for one mailbox.

    Mail of whitelisted senders (addresses) and domains is never acted upon; both are
    in lower case.  `mirror_rules`: simple rules also become inbox rules at Microsoft,
    which know no kill switch, whitelist or staging; so it is off unless asked for.
    """

    automation_paused = BooleanField(default=False)
    whitelisted_senders = ListField(StringField(max_length=320), validation=check_senders)
    whitelisted_domains = ListField(StringField(max_length=255), validation=check_domains)
    mirror_rules = BooleanField(default=False)
    signatures = EmbeddedDocumentListField(Signature, validation=_check_signatures)


class Mailbox(Document):
    """One mailbox of one user.

    The grant to read it is the user's Connection to `microsoft`, which keeps MSAL's
    token cache encrypted and says when its token ends; how far the copy has got, with
    the delta link of every folder, is the SyncState of `microsoft_mail`.  While
    `is_connected` is false nothing is learnt or done.

    `watched_from` is when the mailbox was connected: mail received before is never
    acted upon.  `staging_folder_id` is where staged mail waits, once that was needed.
    `staging_unseen_since`: since then mail was staged and nobody has looked at it.
    `time_zone` is the IANA name of the zone that is set in the mailbox.  Of the due times
    `analysis_due_at` is that of the next pattern analysis.  `work_due_at` is set when something
    has changed that may let go on what was put off, such as the end of a pause.  `mirrored` has
    the inbox rules at Microsoft that mirror ours, by rule: {graph_rule_id, digest}.
    `mirror_checked_at` is when it was looked whether they are what they should be.
    """

    id = StringField(primary_key=True, max_length=64)
    user_id = StringField(required=True)
    tenant_id = StringField(required=True)
    email = StringField(required=True)
    display_name = StringField()
    directory_id = StringField()  # Microsoft's tenant (`tid`)
    home_account_id = StringField()
    is_connected = BooleanField(required=True, default=True)
    disconnected_reason = StringField()
    time_zone = StringField()
    settings = EmbeddedDocumentField(MailboxSettings, default=MailboxSettings)
    staging_folder_id = StringField()
    watched_from = DateTimeField(required=True)
    last_sync_at = DateTimeField()
    analysis_due_at = DateTimeField()
    analysed_at = DateTimeField()
    staging_unseen_since = DateTimeField()
    work_due_at = DateTimeField()
    mirrored = DictField()
    mirror_checked_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "mailboxes",
        "auto_create_index": False,
        "indexes": [
            {"fields": ["user_id", "email"], "unique": True},
            {
                "fields": ["home_account_id", "user_id"],
                "unique": True,
                "partialFilterExpression": {"home_account_id": {"$gt": ""}},
            },
            ("tenant_id", "id"),
            ("tenant_id", "email"),
            {"fields": ["analysis_due_at"], "sparse": True},
            {"fields": ["work_due_at"], "sparse": True},
            {"fields": ["staging_unseen_since"], "sparse": True},
            {
                "fields": ["settings.mirror_rules"],
                "partialFilterExpression": {"settings.mirror_rules": True},
            },
            {"fields": ["mirrored"], "sparse": True},
        ],
    }
