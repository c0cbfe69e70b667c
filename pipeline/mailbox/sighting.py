"""One batch of landed records: what of it is news, and all that is to be written of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models import EmailEvent, Execution, Rule, SeenMail, User
from pipeline.config import settings
from pipeline.errors import Gone
from pipeline.mailbox import event_rows, folders, guards, ledger, mailboxes, rule_store
from pipeline.mailbox.attributing import StepKey, attribute, attribute_end
from pipeline.mailbox.diffing import Seen, SpecialFolders, changes, vanished
from pipeline.mailbox.event_rows import Stamp
from pipeline.mailbox.folders import MESSAGES_STREAM
from pipeline.mailbox.matching import Mail, first_match
from pipeline.stores import Row, collection

_DEFAULT_WINDOW_DAYS = 90


@dataclass(slots=True)
class Watch:
    """What an observer knows of a mailbox while it looks at a batch."""

    mailbox: Row
    user: Row
    policy: Row | None
    special: SpecialFolders
    rules: list[Row]
    org_rules: list[Row]
    kept: timedelta
    now: datetime

    @property
    def why_not(self) -> str | None:
        """Why nothing is learnt now, or None: a pause keeps from acting, not from learning."""
        if self.user.get("is_active") is False or self.mailbox.get("is_connected") is False:
            return guards.why_paused(self.user, self.mailbox)
        return None


@dataclass(slots=True)
class Sighting:
    """What is to be written of a batch."""

    events: list[Row] = field(default_factory=list)
    seen: dict[bytes, Row] = field(default_factory=dict)
    forgotten: list[bytes] = field(default_factory=list)
    executions: list[Row] = field(default_factory=list)
    observed: list[StepKey] = field(default_factory=list)
    #: What arrivals that are there already say from now on, by mail.
    arrivals: dict[str, Row] = field(default_factory=dict)

    def counts(self) -> Counter[str]:
        """Return how many events there are of each type."""
        return Counter(str(row["event_type"]) for row in self.events)


def watch(user_id: str, mailbox_id: str, now: datetime) -> Watch:
    """Return what to know of a mailbox.  Raises Gone if the user has none of this id."""
    mailbox = mailboxes.find(mailbox_id)
    user = collection(User).find_one({"_id": user_id})
    if user is None or mailbox["user_id"] != user_id:
        raise Gone(f"the user has no mailbox {mailbox_id!r}")
    enabled: Row = {"is_enabled": {"$ne": False}}
    own = {"user_id": user_id, "mailbox_id": mailbox_id, "scope": {"$ne": "org"}}
    tenants = {"tenant_id": mailbox["tenant_id"], "scope": "org"}
    return Watch(
        mailbox,
        user,
        guards.policy_of(str(mailbox["tenant_id"])),
        SpecialFolders.of(folders.of_user(user_id), mailbox.get("staging_folder_id")),
        list(collection(Rule).find(own | enabled).sort(rule_store.IN_ORDER)),
        list(collection(Rule).find(tenants | enabled).sort(rule_store.IN_ORDER)),
        retention(user),
        now,
    )


def retention(user: Row) -> timedelta:
    """Return how long events of a user are kept: no shorter than patterns look back."""
    window = (user.get("pattern_settings") or {}).get("observation_window_days")
    days = max(settings().email_event_retention_days, float(window or _DEFAULT_WINDOW_DAYS))
    return timedelta(days=days)


def look(watch: Watch, records: Sequence[Row]) -> Sighting:
    """Return what is to be written of `records`; those of folders say nothing by themselves."""
    mails = [r for r in records if str(r["stream"]).startswith(MESSAGES_STREAM)]
    known = _seen_before([row["_id"] for row in mails])
    again = [row["item_id"] for row in mails if row["_id"] in known]
    news = [row["item_id"] for row in mails if row["_id"] not in known]
    vanish = [row["item_id"] for row in mails if row["item"] is None]
    arrivals = _arrivals(watch, {*news, *vanish})
    executions = _executions(watch, again)
    sighting = Sighting()
    for row in mails:
        before, arrival = known.get(row["_id"]), arrivals.get(row["item_id"])
        done = executions.get(row["item_id"], [])
        if row["item"] is None:
            _look_for_the_gone(watch, row, before, arrival, done, sighting)
        elif before is None:
            _look_at_the_new(watch, row, arrival, sighting)
        else:
            _look_again(watch, row, before, done, sighting)
    return sighting


def _look_at_the_new(watch: Watch, row: Row, arrival: Row | None, sighting: Sighting) -> None:
    """See a mail for the first time, as it is: what had been done to it is not known.

    One whose arrival is known has come back after it was gone, and arrives no second time.
    """
    mail = _mail_of(row)
    after = Seen.of(mail)
    _remember(watch, row, after, sighting)
    if mail.is_draft or after.folder_id in watch.special.silent:
        return
    is_deleted = after.folder_id == watch.special.deleted
    if arrival is not None:
        sighting.arrivals[row["item_id"]] = {"is_read": after.is_read, "is_deleted": is_deleted}
        return
    at = mail.received_at or row["landed_at"]
    at_start = at < watch.mailbox["watched_from"]
    if at + watch.kept > watch.now:
        sighting.events.append(
            event_rows.arrived(
                _stamp(watch, row), mail, at, is_deleted=is_deleted, at_start=at_start
            )
        )
    if not at_start:
        _meet_rules(watch, row, mail, sighting)


def _meet_rules(watch: Watch, row: Row, mail: Mail, sighting: Sighting) -> None:
    """Plan what the first rule that a mail meets does, unless something speaks against it."""
    if mail.folder_id in watch.special.unruled or guards.why_paused(watch.user, watch.mailbox):
        return
    if guards.whitelisted(watch.mailbox, watch.policy, mail.sender_email):
        return
    rule = first_match(watch.rules, watch.org_rules, mail)
    if rule is not None:
        item = {**row["item"], "id": row["item_id"]}
        sighting.executions.append(ledger.planned(rule, item, watch.mailbox, watch.now))


def _look_again(
    watch: Watch, row: Row, before_row: Row, executions: list[Row], sighting: Sighting
) -> None:
    mail = _mail_of(row)
    before, after = Seen.stored(before_row), Seen.of(mail)
    at = mail.changed_at or row["landed_at"]
    found = [] if mail.is_draft else changes(before, after, watch.special)
    made = attribute(found, after, at, executions)
    sighting.observed += made.observed
    is_deleted = after.folder_id == watch.special.deleted
    for change in found:
        if at + watch.kept > watch.now:
            rule_id = made.by_rule.get(change.type)
            sighting.events.append(
                event_rows.changed(
                    _stamp(watch, row), mail, change, at, is_deleted=is_deleted, rule_id=rule_id
                )
            )
    if before != after:
        _remember(watch, row, after, sighting)
        sighting.arrivals[row["item_id"]] = {"is_read": after.is_read, "is_deleted": is_deleted}


def _look_for_the_gone(
    watch: Watch,
    row: Row,
    before_row: Row | None,
    arrival: Row | None,
    executions: list[Row],
    sighting: Sighting,
) -> None:
    if before_row is None:
        return
    sighting.forgotten.append(row["_id"])
    at = row["deleted_at"] or row["landed_at"]
    if _is_too_old(arrival, at):
        return
    made = attribute_end(watch.special.deleted, executions)
    sighting.observed += made.observed
    for change in vanished(Seen.stored(before_row), watch.special):
        rule_id = made.by_rule.get(change.type)
        event = event_rows.gone(_stamp(watch, row), change, at, arrival, rule_id=rule_id)
        sighting.events.append(event)
    sighting.arrivals[row["item_id"]] = {"is_deleted": True}


def _is_too_old(arrival: Row | None, at: datetime) -> bool:
    """Return whether a mail is older than what is copied: a new listing leaves that out."""
    received_at = (arrival or {}).get("received_at")
    window = timedelta(days=settings().microsoft_mail_window_days)
    return received_at is not None and received_at < at - window


def _remember(watch: Watch, row: Row, after: Seen, sighting: Sighting) -> None:
    sighting.seen[row["_id"]] = after.row() | {
        "user_id": watch.mailbox["user_id"],
        "mailbox_id": watch.mailbox["_id"],
        "message_id": row["item_id"],
        "seq": row["seq"],
    }


def _mail_of(row: Row) -> Mail:
    return Mail.of(row["item"])


def _stamp(watch: Watch, row: Row) -> Stamp:
    mailbox = watch.mailbox
    return Stamp(
        mailbox["user_id"], mailbox["_id"], row["item_id"], row["seq"], watch.now, watch.kept
    )


def _seen_before(row_ids: list[bytes]) -> dict[bytes, Row]:
    rows = collection(SeenMail).find({"_id": {"$in": row_ids}})
    return {row["_id"]: row for row in rows}


def _arrivals(watch: Watch, message_ids: Collection[str]) -> dict[str, Row]:
    """Return the arrivals of mails, by mail, as far as they are known."""
    if not message_ids:
        return {}
    wanted = {
        "mailbox_id": watch.mailbox["_id"],
        "message_id": {"$in": list(message_ids)},
        "event_type": "arrived",
    }
    return {row["message_id"]: row for row in collection(EmailEvent).find(wanted)}


def _executions(watch: Watch, message_ids: list[str]) -> dict[str, list[Row]]:
    """Return what was done to mails by us, by mail, in the order in which it was planned."""
    if not message_ids:
        return {}
    wanted = {"mailbox_id": watch.mailbox["_id"], "message_id": {"$in": message_ids}}
    fields = {"message_id": 1, "rule_id": 1, "steps": 1}
    found: dict[str, list[Row]] = {}
    for row in collection(Execution).find(wanted, fields).sort("created_at"):
        found.setdefault(row["message_id"], []).append(row)
    return found
