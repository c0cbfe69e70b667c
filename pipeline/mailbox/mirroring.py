"""Mirroring rules to inbox rules at Microsoft, which act at once and without us.

They know no kill switch, no whitelist and no staging.  So it is off unless asked for, only
rules are mirrored that mean the same there, and a pause disables them there.  What they
have done is not done again: the mail is as our rule would have made it.
https://learn.microsoft.com/graph/api/resources/messagerule
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import ASCENDING

from models import Mailbox, Rule, User
from pipeline.errors import Gone, Permanent, ReauthRequired
from pipeline.mailbox import guards, mailboxes, rule_store
from pipeline.mailbox.folders import Folders
from pipeline.mailbox.holding import Hold
from pipeline.mailbox.matching import domain_of
from pipeline.stores import Row, collection

#: Mailboxes that one look finds; those that are left are found at the next.
MOST_AT_ONCE = 1000
_RULES = "/me/mailFolders/{id}/messageRules"
_RULE = f"{_RULES}/{{rule}}"
_OTHER_CONDITIONS = ("subject_contains", "body_contains", "from_folder")
#: Mailboxes that have inbox rules of ours, or should.
_MIRRORS: Row = {"$or": [{"settings.mirror_rules": True}, {"mirrored": {"$exists": True}}]}
_ACTIONS = ("move", "archive", "delete", "mark_read")


class Mirror(NamedTuple):
    """The inbox rule that a rule should have at Microsoft, or why it has none."""

    body: Row | None
    why_not: str = ""

    @property
    def digest(self) -> str:
        """What changes exactly if this does."""
        told = json.dumps([self.body, self.why_not], sort_keys=True)
        return blake2b(told.encode(), digest_size=16).hexdigest()


def reconcile(hold: Hold) -> int:
    """Bring the inbox rules of a held mailbox to what they should be; return how many changed.

    Refusals are noted with the rule.  Raises RateLimited and Transient.
    """
    hold.refresh()
    changed = 0
    if not _mirrors(hold.mailbox) or hold.mailbox.get("is_connected") is False:
        return changed
    wanted, known = _wanted(hold.mailbox, hold.user), _known(hold.mailbox)
    for rule_id in sorted(known.keys() - wanted.keys()):
        _take_away(hold, rule_id, known[rule_id])
        changed += 1
    for rule_id, mirror in wanted.items():
        if known.get(rule_id, {}).get("digest") != mirror.digest:
            _note(hold, rule_id, _mirrored(hold, rule_id, mirror, known.get(rule_id, {})))
            changed += 1
    return changed


def clear(hold: Hold) -> None:
    """Remove all inbox rules of ours from a held mailbox, as far as Microsoft lets us."""
    for rule_id, known in sorted(_known(hold.mailbox).items()):
        with suppress(Permanent):
            _take_away(hold, rule_id, known)


def sync(rule: Row) -> None:
    """Have what mirrors a rule, which has changed, brought up to date soon, if anything may."""
    whose = {"_id": rule.get("mailbox_id")}
    collection(Mailbox).update_one(whose | _MIRRORS, {"$set": {"work_due_at": datetime.now(UTC)}})


def remove(rule: Row) -> None:
    """Have the inbox rule of a rule that ends removed soon, if it has one."""
    sync(rule)


def differing(now: datetime) -> Iterator[Row]:
    """Yield connected mailboxes whose inbox rules are not what they should be.

    Those first that have not been looked at for longest.
    """
    mirrors = collection(Mailbox).find({**_MIRRORS, "is_connected": True})
    found = list(mirrors.sort("mirror_checked_at", ASCENDING).limit(MOST_AT_ONCE))
    checked = {"_id": {"$in": [mailbox["_id"] for mailbox in found]}}
    collection(Mailbox).update_many(checked, {"$set": {"mirror_checked_at": now}})
    for mailbox in found:
        user = collection(User).find_one({"_id": mailbox["user_id"]})
        wanted, known = _wanted(mailbox, user), _known(mailbox)
        digests = {rule_id: mirror.digest for rule_id, mirror in wanted.items()}
        if digests != {rule_id: one.get("digest") for rule_id, one in known.items()}:
            yield mailbox


def mirror_of(rule: Row, mailbox: Row, policy: Row | None, folders: Folders) -> Mirror:
    """Return what mirrors `rule`, enabled.  Only what means exactly the same does."""
    conditions = rule.get("conditions") or {}
    senders = [str(sender) for sender in conditions.get("sender_email") or ()]
    if not senders or any(conditions.get(name) for name in _OTHER_CONDITIONS):
        # Microsoft's conditions on domains, subjects and texts look for parts of them.
        return Mirror(None, "only rules for senders' addresses are mirrored")
    domain = str(conditions.get("sender_domain") or "").lower()
    if domain and any(not sender.lower().endswith(f"@{domain}") for sender in senders):
        return Mirror(None, "its senders are not all of its domain")
    if any(guards.whitelisted(mailbox, policy, sender) for sender in senders):
        return Mirror(None, "a sender of it is whitelisted")
    return _with_actions(rule, senders, folders)


def _with_actions(rule: Row, senders: list[str], folders: Folders) -> Mirror:
    acts: Row = {}
    for action in rule.get("actions") or ():
        kind = action["action_type"]
        if kind not in _ACTIONS:
            return Mirror(None, f"{kind} is not mirrored")
        if kind == "delete" and not rule.get("skip_staging"):
            return Mirror(None, "what it deletes waits in the staging folder first")
        if kind == "mark_read":
            acts["markAsRead"] = True
            continue
        well_known = {"archive": "archive", "delete": "deleteditems"}.get(kind)
        folder_id = folders.well_known(well_known) if well_known else action.get("to_folder")
        if not folder_id or folder_id not in folders:
            return Mirror(None, "its folder is not known")
        acts["moveToFolder"] = folder_id
    addresses = [{"emailAddress": {"address": sender}} for sender in senders]
    return Mirror(
        {
            "displayName": f"Headrace {rule['_id']}",
            "sequence": 1 + int(rule.get("priority") or 0),
            "isEnabled": True,
            "conditions": {"fromAddresses": addresses},
            "actions": acts | {"stopProcessingRules": True},
        }
    )


def _wanted(mailbox: Row, user: Row | None) -> dict[str, Mirror]:
    """Return what should be at Microsoft, by rule: nothing, unless the mailbox asks for it."""
    if not (mailbox.get("settings") or {}).get("mirror_rules"):
        return {}
    policy = guards.policy_of(str(mailbox.get("tenant_id")))
    folders = mailboxes.folders(mailbox)
    enabled = {"mailbox_id": mailbox["_id"], "scope": "user", "is_enabled": True}
    is_on = guards.why_paused(user, mailbox) is None
    wanted: dict[str, Mirror] = {}
    ours_alone: list[Row] = []
    for rule in rule_store.in_order(enabled | {"user_id": mailbox["user_id"]}):
        mirror = mirror_of(rule, mailbox, policy, folders)
        if mirror.body and any(_may_meet_before(one, rule) for one in ours_alone):
            mirror = Mirror(None, "a rule before it, which is not mirrored, may meet the same mail")
        ours_alone += [] if mirror.body else [rule]
        body = mirror.body and mirror.body | {"isEnabled": is_on}
        wanted[str(rule["_id"])] = mirror._replace(body=body)
    return wanted


def _may_meet_before(earlier: Row, rule: Row) -> bool:
    """Return whether a rule may meet mail first that one for senders' addresses is for."""
    conditions = earlier.get("conditions") or {}
    senders = _lowered(rule["conditions"]["sender_email"])
    if conditions.get("sender_email"):
        senders &= _lowered(conditions["sender_email"])
    domain = str(conditions.get("sender_domain") or "").lower()
    return any(not domain or domain_of(sender) == domain for sender in senders)


def _lowered(addresses: Sequence[str]) -> set[str]:
    return {address.lower() for address in addresses}


def _mirrors(mailbox: Row) -> bool:
    """Return whether there are inbox rules of ours, or should be."""
    return bool((mailbox.get("settings") or {}).get("mirror_rules") or mailbox.get("mirrored"))


def _known(mailbox: Row) -> dict[str, Row]:
    return dict(mailbox.get("mirrored") or {})


def _mirrored(hold: Hold, rule_id: str, mirror: Mirror, known: Row) -> Row:
    """Make, change or remove one inbox rule; return what is known of it then."""
    error = mirror.why_not
    graph_rule_id = known.get("graph_rule_id")
    try:
        if mirror.body is None:
            _remove(hold, known)
            graph_rule_id = None
        else:
            graph_rule_id = _put(hold, rule_id, mirror.body, graph_rule_id)
    # A folder that is gone, or a permission that was not given.
    except (Gone, Permanent, ReauthRequired) as refused:
        error = str(refused)
    return {"graph_rule_id": graph_rule_id, "digest": mirror.digest, "error": error}


def _put(hold: Hold, rule_id: str, body: Row, graph_rule_id: str | None) -> str:
    graph_rule_id = graph_rule_id or _lost(hold, rule_id)
    if graph_rule_id:
        try:
            hold.client.call(f"PATCH {_RULE}", id="inbox", rule=graph_rule_id, body=body)
        except Gone:  # its user has deleted it there
            pass
        else:
            return graph_rule_id
    return str(hold.client.call(f"POST {_RULES}", id="inbox", body=body)["id"])


def _lost(hold: Hold, rule_id: str) -> str | None:
    """Return the inbox rule that was made before its id could be written, if there is one."""
    there: list[Any] = hold.client.call(f"GET {_RULES}", id="inbox").get("value", [])
    name = f"Headrace {rule_id}"
    return next((str(one["id"]) for one in there if one.get("displayName") == name), None)


def _remove(hold: Hold, known: Row) -> None:
    if not known.get("graph_rule_id"):
        return
    with suppress(Gone):
        hold.client.call(f"DELETE {_RULE}", id="inbox", rule=known["graph_rule_id"])


def _take_away(hold: Hold, rule_id: str, known: Row) -> None:
    _remove(hold, known)
    _note(hold, rule_id, None)


def _note(hold: Hold, rule_id: str, known: Row | None) -> None:
    """Write what is known of one inbox rule: with the mailbox, and with the rule to be shown."""
    mailbox: Row = hold.mailbox
    mirrored = {**_known(mailbox), rule_id: known}
    if known is None:
        del mirrored[rule_id]
    mailbox["mirrored"] = mirrored
    update = {"$set": {"mirrored": mirrored}} if mirrored else {"$unset": {"mirrored": ""}}
    collection(Mailbox).update_one({"_id": hold.mailbox_id}, update)
    told = known or {}
    shown = {"graph_rule_id": told.get("graph_rule_id"), "mirror_error": told.get("error")}
    kept = {name: value for name, value in shown.items() if value}
    dropped = {name: "" for name in shown if name not in kept}
    change = ({"$set": kept} if kept else {}) | ({"$unset": dropped} if dropped else {})
    collection(Rule).update_one({"_id": ObjectId(rule_id)}, change)
