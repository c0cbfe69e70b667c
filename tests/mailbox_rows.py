"""A mailbox as it stands after some weeks: folders, mail, events, patterns, rules, staged mail.

Rows alone, so that pages and endpoints have something to show without a provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId

from models import (
    EmailEvent,
    MailAudit,
    Mailbox,
    Notification,
    Pattern,
    Record,
    Rule,
    StagedEmail,
    Subscription,
    SyncState,
    User,
)
from models.record import record_id
from pipeline.mailbox.folders import SOURCE
from pipeline.stores import collection
from pipeline.sync import states

FOLDERS = {
    "fld-inbox": ("Inbox", "inbox", ""),
    "fld-archive": ("Archive", "archive", ""),
    "fld-deleted": ("Deleted Items", "deleteditems", ""),
    "fld-sent": ("Sent Items", "sentitems", ""),
    "fld-invoices": ("Invoices", "", ""),
    "fld-energy": ("Energy", "", "fld-invoices"),
}
NEWS, SHOP, POWER = "offers@news.example", "hello@shop.example", "billing@power.example"
SUBJECT = "Weekly offers: 40% off everything"
#: How a sender's mails go: what happens to each, and into which folder.
_HABITS = {NEWS: ("deleted", "fld-deleted"), SHOP: ("read", ""), POWER: ("moved", "fld-energy")}


@dataclass
class Seeded:
    """Ids of what there is; they count up from `next_id`, if it is not 0."""

    user_id: str
    mailbox_id: str
    next_id: int = 0
    patterns: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    staged: list[str] = field(default_factory=list)
    audit: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"/admin/mailboxes/{self.mailbox_id}"

    def new_id(self) -> ObjectId:
        """Return an id for a row."""
        if not self.next_id:
            return ObjectId()
        self.next_id += 1
        return ObjectId(f"{self.next_id - 1:024x}")


def seed(
    user_id: str = "ada", tenant_id: str = "acme", *, mails: int = 20, first_id: int = 0
) -> Seeded:
    """Have a user with a mailbox that was watched for some weeks."""
    made = Seeded(user_id, f"mbx-{user_id}", first_id)
    _user(made, tenant_id)
    _folders(user_id)
    for number, sender in enumerate(_HABITS):
        for week in range(mails):
            _mail(made, sender, number, week)
    _patterns(made, tenant_id)
    _rules(made, tenant_id)
    _staged(made, tenant_id)
    _audit(made, tenant_id)
    _notifications(made, tenant_id)
    return made


def now() -> datetime:
    """Return the time, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _times() -> dict[str, datetime]:
    return {"created_at": now(), "updated_at": now()}


def _user(made: Seeded, tenant_id: str) -> None:
    user = {"_id": made.user_id, "tenant_id": tenant_id, **_times()}
    collection(User).replace_one({"_id": made.user_id}, user, upsert=True)
    collection(Mailbox).insert_one(
        {
            "_id": made.mailbox_id,
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "email": f"{made.user_id}@contoso.example",
            "display_name": made.user_id.title(),
            "home_account_id": f"{made.user_id}.contoso",
            "is_connected": True,
            "time_zone": "Europe/Berlin",
            "settings": {
                "automation_paused": False,
                "whitelisted_senders": ["boss@contoso.example"],
                "whitelisted_domains": ["bank.example"],
                "mirror_rules": False,
                "signatures": [
                    {"id": "s1", "name": "Work", "content": "Ada", "is_default": True},
                    {"id": "s2", "name": "Short", "content": "A.", "is_default": False},
                ],
            },
            "watched_from": now() - timedelta(days=70),
            "last_sync_at": now() - timedelta(minutes=4),
            "analysed_at": now() - timedelta(hours=9),
            "analysis_due_at": now() + timedelta(hours=15),
            **_times(),
        }
    )
    states.ensure(made.user_id, SOURCE, now())
    collection(SyncState).update_one(
        {"user_id": made.user_id, "source": SOURCE}, {"$set": {"last_success_at": now()}}
    )
    collection(Subscription).insert_one(
        {
            "_id": f"sub-{made.user_id}",
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "provider": "microsoft",
            "source": SOURCE,
            "stream": "messages",
            "status": "active",
            "target": "https://headrace.example/webhooks/microsoft",
            "expires_at": now() + timedelta(hours=50),
            "created_at": now() - timedelta(days=2),
            "events": 12,
            "gaps": 0,
            "error_count": 0,
        }
    )


def _record(user_id: str, stream: str, item_id: str, item: dict[str, Any], seq: int) -> None:
    kind = "messages" if stream.startswith("messages") else stream
    collection(Record).insert_one(
        {
            "_id": record_id(user_id, SOURCE, kind, item_id),
            "user_id": user_id,
            "source": SOURCE,
            "stream": stream,
            "item_id": item_id,
            "item": item,
            "generation": 1,
            "seq": seq,
            "landed_at": now(),
            "deleted_at": None,
        }
    )


def _folders(user_id: str) -> None:
    for seq, (folder_id, (name, well_known, parent)) in enumerate(FOLDERS.items(), 1):
        item = {"id": folder_id, "displayName": name, "parentFolderId": parent or "root"}
        item |= {"wellKnownName": well_known} if well_known else {}
        _record(user_id, "folders", folder_id, item, seq)


def _mail(made: Seeded, sender: str, number: int, week: int) -> None:
    """Have a mail that arrived some days ago, and what its user did with it."""
    received = now() - timedelta(days=2 + 3 * week, hours=number)
    message_id = f"AAMk-{made.user_id}-{number}-{week}"
    what, folder_id = _HABITS[sender]
    item = {
        "id": message_id,
        "parentFolderId": folder_id or "fld-inbox",
        "subject": SUBJECT,
        "bodyPreview": "Dear reader",
        "receivedDateTime": received.isoformat(),
        "from": {"emailAddress": {"name": "Offers", "address": sender}},
        "isRead": what == "read",
    }
    stream = f"messages/{folder_id or 'fld-inbox'}"
    _record(made.user_id, stream, message_id, item, 100 + number * 1000 + week)
    arrived = {"event_type": "arrived", "to_folder": "fld-inbox", "timestamp": received}
    acted = {
        "event_type": what,
        "from_folder": "fld-inbox",
        "to_folder": folder_id or "fld-inbox",
        "timestamp": received + timedelta(minutes=3),
        "time_to_action": 180.0,
    }
    for stamp, event in enumerate((arrived, acted)):
        collection(EmailEvent).insert_one(_event(made, sender, message_id, received, stamp) | event)


def _event(
    made: Seeded, sender: str, message_id: str, received: datetime, stamp: int
) -> dict[str, Any]:
    return {
        "user_id": made.user_id,
        "mailbox_id": made.mailbox_id,
        "message_id": message_id,
        "change_stamp": stamp,
        "sender": {"name": "Offers", "email": sender, "domain": sender.partition("@")[2]},
        "subject": SUBJECT,
        "received_at": received,
        "importance": "normal",
        "categories": [],
        "metadata": {"is_newsletter": sender == NEWS},
        "expires_at": now() + timedelta(days=90),
        **_times(),
    }


def _patterns(made: Seeded, tenant_id: str) -> None:
    wanted = {
        "delete": (NEWS, "sender", {"action_type": "delete"}, "suggested", 98.4),
        "move": (
            POWER,
            "folder-routing",
            {"action_type": "move", "to_folder": "fld-energy"},
            "suggested",
            91.2,
        ),
        "read": (SHOP, "sender", {"action_type": "mark_read"}, "detected", 71.0),
    }
    for name, (sender, kind, action, status, confidence) in wanted.items():
        row = {
            "_id": made.new_id(),
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "mailbox_id": made.mailbox_id,
            "pattern_type": kind,
            "status": status,
            "confidence": confidence,
            "sample_size": 20,
            "exception_count": 0 if status == "suggested" else 4,
            "condition": {"sender_email": sender, "sender_domain": sender.partition("@")[2]},
            "suggested_action": action,
            "evidence": [
                {
                    "message_id": f"AAMk-{made.user_id}-0-{n}",
                    "timestamp": now(),
                    "action": "deleted",
                }
                for n in range(3)
            ],
            "first_seen_at": now() - timedelta(days=60),
            "last_seen_at": now() - timedelta(days=2),
            "last_analyzed_at": now() - timedelta(hours=9),
            "version": 1,
            "notified_version": 1,
            **_times(),
        }
        collection(Pattern).insert_one(row)
        made.patterns[name] = str(row["_id"])


def _rules(made: Seeded, tenant_id: str) -> None:
    wanted = {
        "receipts": ({"sender_email": ["receipts@shop.example"]}, {"action_type": "mark_read"}),
        "delete": ({"sender_domain": "spam.example"}, {"action_type": "delete"}),
        "move": (
            {"subject_contains": "invoice", "from_folder": "fld-inbox"},
            {"action_type": "move", "to_folder": "fld-invoices"},
        ),
    }
    for priority, (name, (conditions, action)) in enumerate(wanted.items()):
        row = {
            "_id": made.new_id(),
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "mailbox_id": made.mailbox_id,
            "name": f"Rule for {name}",
            "is_enabled": name != "move",
            "skip_staging": False,
            "priority": priority,
            "conditions": conditions,
            "actions": [action | {"order": 0}],
            "stats": {"total_executions": 7 * priority, "emails_processed": 7 * priority},
            "scope": "user",
            "created_by": "ada",
            "version": 0,
            **_times(),
        }
        collection(Rule).insert_one(row)
        made.rules[name] = str(row["_id"])


def _staged(made: Seeded, tenant_id: str) -> None:
    for number, status in enumerate(("staged", "staged", "rescued")):
        staged_at = now() - timedelta(hours=2 + number)
        row = {
            "_id": made.new_id(),
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "mailbox_id": made.mailbox_id,
            "rule_id": made.rules["delete"],
            "message_id": f"AAMk-staged-{made.user_id}-{number}",
            "sender_email": "win@spam.example",
            "sender_name": "Winner",
            "subject": "You have won",
            "original_folder": "fld-inbox",
            "staging_folder": "fld-staging",
            "staged_at": staged_at,
            "expires_at": staged_at + timedelta(hours=24),
            "status": status,
            "actions": [{"action_type": "delete"}],
            **_times(),
        }
        if status == "rescued":
            row["rescued_at"] = now()
        collection(StagedEmail).insert_one(row)
        made.staged.append(str(row["_id"]))


def _audit(made: Seeded, tenant_id: str) -> None:
    step = {
        "action": "move",
        "message_id": "AAMk-1",
        "state": "done",
        "before": {"folder_id": "fld-inbox"},
        "after": {"folder_id": "fld-invoices"},
        "error": "",
    }
    wanted = {
        "done": {"action": "rule_executed", "undoable": True, "steps": [step]},
        "partial": {
            "action": "rule_executed",
            "undoable": True,
            "steps": [step, step | {"action": "mark_read", "after": {"is_read": True}}],
            "undo_state": "partial",
            "undo_results": [
                {"step": 1, "state": "done", "error": ""},
                {"step": 0, "state": "failed", "error": "the mail is gone"},
            ],
            "undone_by": "eve",
        },
        "old": {"action": "rule_created", "target_type": "rule", "details": {"is_enabled": True}},
    }
    for name, fields in wanted.items():
        row = {
            "_id": made.new_id(),
            "user_id": made.user_id,
            "tenant_id": tenant_id,
            "mailbox_id": made.mailbox_id,
            "target_type": "email",
            "target_id": "AAMk-1",
            "actor": "rule",
            "details": {"rule_id": made.rules["move"]},
            "steps": [],
            "undoable": False,
            "expires_at": now() + timedelta(days=180),
            **_times(),
            **fields,
        }
        collection(MailAudit).insert_one(row)
        made.audit[name] = str(row["_id"])


def _notifications(made: Seeded, tenant_id: str) -> None:
    related = {"entity_type": "pattern", "entity_id": made.patterns["delete"]}
    for number, (kind, title, is_read) in enumerate(
        (
            ("pattern_detected", "A habit was found in your mailbox", False),
            ("staging_alert", "2 mails are about to be deleted", False),
            ("system", "Your mailbox was connected", True),
        )
    ):
        collection(Notification).insert_one(
            {
                "user_id": made.user_id,
                "tenant_id": tenant_id,
                "key": f"{kind}:{number}",
                "type": kind,
                "title": title,
                "message": "Of 20 mails of one sender, 20 were deleted. Approve it, or reject it.",
                "is_read": is_read,
                "priority": "normal",
                "expires_at": now() + timedelta(days=30),
                **_times(),
                **({"related_entity": related} if kind == "pattern_detected" else {}),
            }
        )
