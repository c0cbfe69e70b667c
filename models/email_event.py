"""What happened to mail, and what the observer last saw of each."""

from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    StringField,
)

EVENT_TYPES = ("arrived", "deleted", "moved", "read", "flagged", "categorized")
IMPORTANCES = ("low", "normal", "high")


class Sender(EmbeddedDocument):
    """Who a mail is from; `email` and `domain` are in lower case."""

    name = StringField()
    email = StringField()
    domain = StringField()


class EventMetadata(EmbeddedDocument):
    """What kind of mail it is, and which rule did it if a rule did.

    `found_at_start`: it was there when the mailbox was first listed; what had been done
    with it before is not known, so that it says nothing about its user's habits.
    """

    has_list_unsubscribe = BooleanField(default=False)
    is_newsletter = BooleanField(default=False)
    is_automated = BooleanField(default=False)
    automated_by_rule = StringField()
    found_at_start = BooleanField()


class EmailEvent(Document):
    """One thing that happened to one mail.  Never holds its text.

    `message_id` is Microsoft's immutable id.  `change_stamp` is the sequence number
    under which the change landed; it makes a second move of the same mail another
    event.  A mail that is put into Deleted Items was `deleted`; every other change of
    folder is a move.  `timestamp` is when it happened, as far as Microsoft says,
    `time_to_action` how many seconds after the mail was received.  `subject_normalized`
    has numbers, dates and ids replaced by what they are.
    """

    user_id = StringField(required=True)
    mailbox_id = StringField(required=True)
    message_id = StringField(required=True)
    internet_message_id = StringField()
    event_type = StringField(required=True, choices=EVENT_TYPES)
    change_stamp = IntField(required=True)
    timestamp = DateTimeField(required=True)
    sender = EmbeddedDocumentField(Sender)
    subject = StringField()
    subject_normalized = StringField()
    conversation_id = StringField()
    from_folder = StringField()
    to_folder = StringField()
    received_at = DateTimeField()
    time_to_action = FloatField()
    importance = StringField(choices=IMPORTANCES, default="normal")
    has_attachments = BooleanField(default=False)
    is_read = BooleanField(default=False)
    is_deleted = BooleanField(default=False)
    categories = ListField(StringField())
    metadata = EmbeddedDocumentField(EventMetadata, default=EventMetadata)
    embedded_at = DateTimeField()
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)

    meta = {  # noqa: RUF012
        "collection": "email_events",
        "auto_create_index": False,
        "indexes": [
            {
                "fields": ["user_id", "mailbox_id", "message_id", "event_type", "change_stamp"],
                "unique": True,
            },
            ("user_id", "sender.domain", "-timestamp"),
            ("user_id", "event_type", "-timestamp"),
            ("mailbox_id", "message_id", "-timestamp"),
            ("mailbox_id", "-timestamp"),
            ("user_id", "-timestamp"),
            "received_at",
            ("event_type", "is_deleted", "timestamp"),
            {"fields": ["expires_at"], "expireAfterSeconds": 0},
        ],
    }


class SeenMail(Document):
    """What the observer last saw of a mail: what the next change is compared with.

    `id` is that of the record; `seq` the record's number at that time.  It goes when the
    mail is gone for good.
    """

    id = BinaryField(primary_key=True)
    user_id = StringField(required=True)
    mailbox_id = StringField(required=True)
    message_id = StringField(required=True)
    seq = IntField(required=True)
    folder_id = StringField()
    is_read = BooleanField()
    is_flagged = BooleanField()
    categories = ListField(StringField())

    meta = {  # noqa: RUF012
        "collection": "seen_mails",
        "auto_create_index": False,
        "indexes": ["user_id", ("mailbox_id", "message_id")],
    }
