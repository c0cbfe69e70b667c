"""What users set: their preferences, when habits are suggested, and for each mailbox.

What a value may be is said by the models alone, and refused here by the field's name,
before anything is written.  Fields that are not named keep their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from mongoengine import BooleanField, Document, EmbeddedDocument, IntField
from pymongo.client_session import ClientSession

from models import EmailEvent, Mailbox, TenantPolicy, User
from models.mailbox import MailboxSettings
from models.user import PatternSettings, Preferences
from pipeline.errors import Gone
from pipeline.mailbox import audit, mailboxes
from pipeline.mailbox.rule_store import transaction
from pipeline.mailbox.sighting import retention
from pipeline.refusals import Refused, parsed, validated
from pipeline.stores import Row, collection

_WHITELISTS = ("whitelisted_senders", "whitelisted_domains")


def update_preferences(user_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change preferences of a user and return them all.  Raises Refused, Gone.

    Once automation is no more paused, what was put off is looked at again.
    """
    user = _user(user_id)
    before = _with_defaults(Preferences, user.get("preferences"))
    after = _merged(Preferences, before, changes)
    mailbox_id = changes.get("contacts_mailbox_id")
    if mailbox_id and _mailbox_of(user_id, mailbox_id) is None:
        raise Refused("contacts_mailbox_id", "the user has no such mailbox")

    def write(session: ClientSession) -> None:
        _set(User, user_id, "preferences", after, changes, session)
        _tell(user, None, before, after, by, session)
        if _resumes(before, after):
            _wake({"user_id": user_id}, session)

    transaction(write)
    return after


def update_pattern_settings(user_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change when habits of a user are suggested, and return all of it.  Raises Refused, Gone.

    Events are kept for as long as patterns look back.
    """
    user = _user(user_id)
    before = _with_defaults(PatternSettings, user.get("pattern_settings"))
    after = _merged(PatternSettings, before, changes)

    def write(session: ClientSession) -> None:
        _set(User, user_id, "pattern_settings", after, changes, session)
        _tell(user, None, before, after, by, session)

    transaction(write)
    if "observation_window_days" in changes:
        _keep_events(user | {"pattern_settings": after})
    return after


def update_mailbox_settings(mailbox_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change what is set for a mailbox, and return all of it.  Raises Refused, Gone."""
    mailbox = mailboxes.find(mailbox_id)
    before = _with_defaults(MailboxSettings, mailbox.get("settings"))
    after = _merged(MailboxSettings, before, _normalized(changes))

    def write(session: ClientSession) -> None:
        _set(Mailbox, mailbox_id, "settings", after, changes, session)
        _tell(_user(str(mailbox["user_id"])), mailbox_id, before, after, by, session)
        if _resumes(before, after):
            _wake({"_id": mailbox_id}, session)

    transaction(write)
    return after


def update_tenant_policy(tenant_id: str, changes: Mapping[str, Any], *, by: str) -> Row:
    """Change whose mail is left alone in all mailboxes of a tenant, and return that.

    Its entry in the audit belongs to no user.  Raises Refused.
    """
    before = policy(tenant_id)
    unknown = sorted(set(changes) - set(_WHITELISTS))
    if unknown:
        raise Refused(unknown[0], f"there is no such field; there are {', '.join(_WHITELISTS)}")
    wanted = _normalized(changes)
    validated(parsed(TenantPolicy, wanted | {"id": tenant_id}))
    after = before | wanted
    fields = wanted | {"updated_at": datetime.now(UTC)}

    def write(session: ClientSession) -> None:
        collection(TenantPolicy).update_one(
            {"_id": tenant_id}, {"$set": fields}, upsert=True, session=session
        )
        tenant = {"_id": "", "tenant_id": tenant_id}
        _tell(tenant, None, before, after, by, session)

    transaction(write)
    return after


def policy(tenant_id: str) -> Row:
    """Return whose mail is left alone in all mailboxes of a tenant."""
    row: Row = collection(TenantPolicy).find_one({"_id": tenant_id}) or {}
    return {name: row.get(name) or [] for name in _WHITELISTS}


def _user(user_id: str) -> Row:
    user = collection(User).find_one({"_id": user_id})
    if user is None:
        raise Gone(f"there is no user {user_id!r}")
    return user


def _mailbox_of(user_id: str, mailbox_id: object) -> Row | None:
    return collection(Mailbox).find_one({"_id": mailbox_id, "user_id": user_id})


def _merged(model: type[EmbeddedDocument], before: Row, changes: Mapping[str, Any]) -> Row:
    """Return what is set once `changes` are.  Raises Refused.

    Only these are checked: what is there already must not keep anybody from pausing.
    """
    for name, value in changes.items():
        _check(name, model._fields.get(name), value)
    fresh = validated(parsed(model, changes))
    return before | {name: fresh.get(name) for name in changes}


def _with_defaults(model: type[EmbeddedDocument], row: Row | None) -> Row:
    """Return what is set, as the model has it where nothing is."""
    known = {name: value for name, value in (row or {}).items() if name in model._fields}
    return parsed(model, known).to_mongo().to_dict()  # type: ignore[no-any-return]


def _check(name: str, field: Any, value: object) -> None:
    """Refuse what the model would take for a number, or for yes or no, or tells too little of."""
    if isinstance(field, BooleanField) and not isinstance(value, bool):
        raise Refused(name, "expected true or false")
    if isinstance(field, IntField):
        low, high = field.min_value, field.max_value
        if type(value) is not int or not low <= value <= high:
            raise Refused(name, f"expected a whole number from {low} to {high}")


def _normalized(changes: Mapping[str, Any]) -> Row:
    """Return changes with whitelists in lower case, each entry once, and ids for signatures."""
    normal = dict(changes)
    for name in _WHITELISTS:
        if name in normal:
            normal[name] = _lowered(name, normal[name])
    if "signatures" in normal:
        normal["signatures"] = [_signature(value) for value in _list("signatures", normal)]
    return normal


def _lowered(name: str, values: Any) -> list[str]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) for v in values):
        raise Refused(name, "expected a list of texts")
    return sorted({value.strip().lower().removeprefix("@") for value in values if value.strip()})


def _signature(value: Any) -> Row:
    if not isinstance(value, Mapping):
        raise Refused("signatures", "expected objects with name and content")
    return {"id": uuid4().hex, **value}


def _list(name: str, values: Row) -> list[Any]:
    if not isinstance(values[name], list):
        raise Refused(name, "expected a list")
    return list(values[name])


def _set(
    model: type[Document],
    row_id: str,
    where: str,
    after: Row,
    changes: Mapping[str, Any],
    session: ClientSession,
) -> None:
    """Set only the fields that were named, so that others' changes stay."""
    fields = {f"{where}.{name}": after.get(name) for name in changes}
    fields["updated_at"] = datetime.now(UTC)
    collection(model).update_one({"_id": row_id}, {"$set": fields}, session=session)


def _resumes(before: Row, after: Row) -> bool:
    return bool(before.get("automation_paused")) and not after.get("automation_paused")


def _wake(whose: Row, session: ClientSession) -> None:
    """Have what was put off looked at again."""
    now = datetime.now(UTC)
    collection(Mailbox).update_many(
        whose | {"is_connected": True}, {"$set": {"work_due_at": now}}, session=session
    )


def _tell(
    user: Row, mailbox_id: str | None, before: Row, after: Row, by: str, session: ClientSession
) -> None:
    """Write to the audit what has changed, one entry for each kind of change."""
    changed = {n for n in after.keys() | before.keys() if after.get(n) != before.get(n)}
    target = ("mailbox", mailbox_id) if mailbox_id else ("settings", user["_id"])
    entries: list[tuple[str, Row]] = []
    if "automation_paused" in changed:
        paused = bool(after.get("automation_paused"))
        entries.append(("automation_paused" if paused else "automation_resumed", {}))
    lists = [name for name in _WHITELISTS if name in changed]
    if lists:
        entries.append(("whitelist_updated", _differences(lists, before, after)))
    rest = sorted(changed - {"automation_paused", *_WHITELISTS})
    if rest:
        entries.append(("settings_updated", {"fields": rest}))
    for action, details in entries:
        audit.write(
            str(user["_id"]),
            action,
            target[0],
            target[1] or str(user["tenant_id"]),
            actor=by,
            mailbox_id=mailbox_id,
            tenant_id=str(user["tenant_id"]),
            details=details,
            session=session,
        )


def _differences(names: list[str], before: Row, after: Row) -> Row:
    """Return how many entries came and went: whose they are is in the whitelist."""
    told: Row = {}
    for name in names:
        old, new = set(before.get(name) or ()), set(after.get(name) or ())
        told |= {f"{name}_added": len(new - old), f"{name}_removed": len(old - new)}
    return told


def _keep_events(user: Row) -> None:
    """Keep events that are there for as long as those that come will be."""
    milliseconds = int(retention(user).total_seconds() * 1000)
    longer: Row = {"$max": ["$expires_at", {"$add": ["$timestamp", milliseconds]}]}
    collection(EmailEvent).update_many({"user_id": user["_id"]}, [{"$set": {"expires_at": longer}}])
