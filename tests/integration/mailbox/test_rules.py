"""Rules are checked wherever they come from, and changed by several people at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from landed_mail import LandedMail
from mail_items import ARCHIVE, PROJECTS, SENT, mail_item
from mongoengine.errors import ValidationError

from models import Execution, MailAudit, Rule, StagedEmail
from pipeline.errors import Gone, Permanent
from pipeline.mailbox import org_rules, rules
from pipeline.mailbox.observing import observe
from pipeline.mailbox.simulating import simulate
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

NOW = datetime.now(UTC)
DELETE = [{"action_type": "delete"}]
FROM_BOB = {"sender_email": "Bob@Shop.Example"}


@pytest.fixture
def mail(stores: None) -> LandedMail:
    return LandedMail()


def create(mail: LandedMail, **fields: Any) -> str:
    given: dict[str, Any] = {"name": "Shop", "conditions": FROM_BOB, "actions": DELETE} | fields
    return rules.create(mail.user_id, mail.mailbox_id, by=mail.user_id, **given)


def forward(*addresses: str) -> list[dict[str, Any]]:
    return [{"action_type": "forward", "forward_to": list(addresses)}]


def audited() -> list[str]:
    return [row["action"] for row in collection(MailAudit).find().sort("_id")]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"conditions": {}}, "conditions"),
    ({"conditions": {"subject_contains": "  "}}, "conditions"),
    ({"conditions": {"sender_email": ["bob"]}}, "conditions.sender_email"),
    ({"conditions": {"sender_email": 7}}, "conditions.sender_email"),
    ({"conditions": {"sender_domain": "shop"}}, "conditions.sender_domain"),
    ({"conditions": {"from_folder": "nowhere"}}, "conditions.from_folder"),
    ({"conditions": {"colour": "red"}}, "colour"),
    ({"conditions": "all"}, "conditions"),
    ({"actions": []}, "actions"),
    ({"actions": [{"action_type": "explode"}]}, "actions.0.action_type"),
    ({"actions": [{"action_type": "move"}]}, "actions.to_folder"),
    ({"actions": [{"action_type": "move", "to_folder": "nowhere"}]}, "actions.to_folder"),
    ({"actions": [{"action_type": "move", "to_folder": SENT}]}, "actions.to_folder"),
    ({"actions": [{"action_type": "categorize"}]}, "actions.category"),
    ({"actions": [{"action_type": "popup"}]}, "actions.popup_message"),
    ({"actions": forward()}, "actions.forward_to"),
    ({"actions": forward("bob")}, "actions.forward_to"),
    ({"actions": forward("ada@acme.example")}, "actions.forward_to"),
    ({"actions": [*DELETE, {"action_type": "archive"}]}, "actions"),
    ({"actions": ["delete"]}, "actions"),
    ({"name": " "}, "name"),
    ({"name": 7}, "name"),
    ({"is_enabled": "yes"}, "is_enabled"),
    ({"name": "x" * 201}, "name"),
]


def test_a_rule_that_means_nothing_is_refused_by_its_field(mail: LandedMail) -> None:
    for wrong, field in WRONG:
        with pytest.raises(Refused) as refusal:
            create(mail, **wrong)
        assert refusal.value.field == field, str(refusal.value)
        assert isinstance(refusal.value, Permanent)
    assert collection(Rule).count_documents({}) == 0
    rule_id = create(mail)
    for wrong, field in WRONG:
        with pytest.raises(Refused) as refusal:
            rules.update("ada", rule_id, wrong, by="ada")
        assert refusal.value.field == field, str(refusal.value)
    assert audited() == ["rule_created"]


def test_the_model_itself_refuses_a_rule_without_conditions() -> None:
    fields: dict[str, Any] = {"tenant_id": "t", "created_at": NOW, "updated_at": NOW, "name": "x"}
    for wrong in ({"conditions": {}, "actions": DELETE}, {"conditions": FROM_BOB, "actions": []}):
        with pytest.raises(ValidationError):
            Rule(user_id="u", mailbox_id="m", **fields, **wrong).validate()


def test_rules_are_made_ordered_changed_and_deleted(mail: LandedMail) -> None:
    first = create(mail)
    second = create(mail, name="Invoices", conditions={"subject_contains": "Invoice"})
    third = create(
        mail,
        conditions={"sender_domain": "@X.Example"},
        actions=[{"action_type": "move", "to_folder": PROJECTS}, {"action_type": "mark_read"}],
    )
    assert [str(row["_id"]) for row in rules.listed("ada", mail.mailbox_id)] == [
        first, second, third,
    ]  # fmt: skip
    kept = rules.get("ada", third)
    assert kept["conditions"]["sender_domain"] == "x.example"
    assert [action["order"] for action in kept["actions"]] == [0, 1]
    rules.reorder("ada", mail.mailbox_id, [third], by="ada")
    assert [str(row["_id"]) for row in rules.listed("ada")] == [third, first, second]
    for wrong in ([third, third], [third, str(ObjectId())]):
        with pytest.raises(Refused):
            rules.reorder("ada", mail.mailbox_id, wrong, by="ada")

    assert rules.toggle("ada", first, False, by="ada")["is_enabled"] is False
    again = create(mail, actions=[{"action_type": "delete", "order": 3}])
    assert again == first  # asks for the same: enabled, not made again
    assert rules.get("ada", first)["is_enabled"] is True
    assert len(rules.listed("ada")) == 3

    for not_ours in (
        lambda: rules.get("bob", first),
        lambda: rules.toggle("bob", first, False, by="bob"),
        lambda: rules.delete("bob", first, by="bob"),
        lambda: rules.own_mailbox("bob", mail.mailbox_id),
        lambda: rules.get("ada", "nonsense"),
    ):  # fmt: skip
        with pytest.raises(Gone):
            not_ours()
    with pytest.raises(Refused, match="priority"):
        rules.update("ada", first, {"priority": 3}, by="ada")


def test_deleting_a_rule_gives_back_what_it_staged_and_skips_what_it_was_to_do(
    mail: LandedMail,
) -> None:
    rule_id = create(mail, conditions={"sender_domain": "shop.example"})
    mail.land(mail_item(receivedDateTime=NOW.isoformat()))
    observe("ada", mail.mailbox_id)
    staged = {
        "user_id": "ada", "tenant_id": "acme", "mailbox_id": mail.mailbox_id, "rule_id": rule_id,
        "message_id": "m2", "original_folder": "f-inbox", "staging_folder": "f-stage",
        "status": "staged", "actions": [],
        "staged_at": NOW, "expires_at": NOW, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    collection(StagedEmail).insert_one(dict(staged))
    rules.delete("ada", rule_id, by="ada")
    [row] = collection(Execution).find({"kind": "rule"})
    assert (row["state"], "due_at" in row) == ("skipped", False)
    assert (collection(StagedEmail).find_one({}) or {})["status"] == "rescuing"
    assert audited()[0] == "rule_created"
    assert "rule_deleted" in audited()
    with pytest.raises(Gone):
        rules.get("ada", rule_id)


def test_what_a_deleted_rule_had_begun_is_ended_by_whoever_looks_and_the_rest_goes(
    mail: LandedMail,
) -> None:
    rule_id = create(mail, conditions={"sender_domain": "shop.example"})
    mail.land(mail_item("m1"), mail_item("m2"))
    observe("ada", mail.mailbox_id)
    # Put off since no answer came: its mail may have been moved.
    begun = {"steps.0.state": "doing", "attempts": 1}
    collection(Execution).update_one({"message_id": "m1"}, {"$set": begun})
    rules.delete("ada", rule_id, by="ada")
    rows = {row["message_id"]: row for row in collection(Execution).find({"kind": "rule"})}
    assert (rows["m1"]["state"], "due_at" in rows["m1"]) == ("pending", True)
    assert rows["m2"]["state"] == "skipped"
    assert rows["m2"]["expires_at"] > NOW + timedelta(days=100)


def test_two_who_edit_at_once_are_both_heard_or_told(mail: LandedMail) -> None:
    rule_id = create(mail)
    names = [f"Name {number}" for number in range(3)]
    by = {"by": "ada"}
    edits = [(rules.update, ("ada", rule_id, {"name": name})) for name in names]
    edits.append((rules.toggle, ("ada", rule_id, False)))
    threads = [threading.Thread(target=edit, args=said, kwargs=by) for edit, said in edits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = rules.get("ada", rule_id)
    assert row["name"] in names
    assert row["is_enabled"] is False
    assert row["version"] == 4
    with pytest.raises(Refused, match="version"):
        rules.update("ada", rule_id, {"name": "late"}, by="ada", version=0)
    assert rules.update("ada", rule_id, {"name": "now"}, by="ada", version=4)["version"] == 5


def test_no_circle_of_forwards_is_closed_not_even_by_two_at_once(mail: LandedMail) -> None:
    bob, cy = LandedMail("bob"), LandedMail("cy")
    create(mail, actions=forward("bob@acme.example", "out@else.example"))
    create(bob, actions=forward("cy@acme.example"))
    with pytest.raises(Refused, match="circular forward"):
        create(cy, actions=forward("ADA@acme.example"))
    off = create(cy, actions=forward("ada@acme.example"), is_enabled=False)
    with pytest.raises(Refused, match="circular forward"):
        rules.toggle("cy", off, True, by="cy")
    dee, eve = LandedMail("dee"), LandedMail("eve")
    done: list[str] = []

    def close(of: LandedMail, to: str) -> None:
        try:
            done.append(create(of, actions=forward(to)))
        except Refused:
            return

    pair = [
        threading.Thread(target=close, args=(dee, "eve@acme.example")),
        threading.Thread(target=close, args=(eve, "dee@acme.example")),
    ]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
    assert len(done) == 1


def pattern(mail: LandedMail, **fields: Any) -> Row:
    return {
        "_id": ObjectId(),
        "user_id": "ada",
        "mailbox_id": mail.mailbox_id,
        "condition": {"sender_email": "bob@shop.example", "sender_domain": "shop.example"},
        "suggested_action": {"action_type": "move", "to_folder": PROJECTS},
    } | fields


def test_a_pattern_has_one_rule_which_goes_with_it_alone(mail: LandedMail) -> None:
    habit = pattern(mail)
    other = create(mail, conditions={"sender_domain": "shop.example"})
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(rules.from_pattern(habit, "ada")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    rule = rules.get("ada", made[0])
    assert rule["name"] == "Auto: Move from bob@shop.example"
    assert rule["priority"] == 1
    assert rule["conditions"]["sender_domain"] == "shop.example"
    assert [(a["action_type"], a["order"]) for a in rule["actions"]] == [
        ("move", 0),
        ("mark_read", 1),
    ]
    assert audited().count("rule_created") == 2

    habit["suggested_action"] = {"action_type": "move", "to_folder": ARCHIVE}
    assert rules.from_pattern(habit, "ada") == made[0]
    assert rules.get("ada", made[0])["actions"][0]["to_folder"] == ARCHIVE
    lost = pattern(mail, suggested_action={"action_type": "move", "to_folder": "gone"})
    with pytest.raises(Refused):
        rules.from_pattern(lost, "ada")

    assert rules.delete_for_pattern("ada", str(habit["_id"]), "ada") == 1
    assert rules.delete_for_pattern("ada", str(habit["_id"]), "ada") == 0
    assert [str(row["_id"]) for row in rules.listed("ada")] == [other]
    assert audited()[-1] == "rule_deleted"


def test_a_tenants_rules_know_no_mailbox(mail: LandedMail) -> None:
    def org(**fields: Any) -> str:
        given: dict[str, Any] = {"name": "All", "conditions": FROM_BOB, "actions": DELETE} | fields
        return org_rules.create("acme", by="op", **given)

    for wrong in (
        {"conditions": {"from_folder": ARCHIVE}},
        {"actions": [{"action_type": "move", "to_folder": ARCHIVE}]},
        {"actions": forward("x@y.example")},
        {"conditions": {}},
    ):
        with pytest.raises(Refused):
            org(**wrong)
    first, second = org(), org(conditions={"subject_contains": "offer"})
    org_rules.reorder("acme", [second, first])
    assert [str(row["_id"]) for row in org_rules.listed("acme")] == [second, first]
    assert org_rules.update("acme", first, {"is_enabled": False})["is_enabled"] is False
    with pytest.raises(Gone):
        org_rules.get("other", first)
    with pytest.raises(Gone):
        rules.get("ada", first)
    org_rules.delete("acme", first, by="op")
    assert [str(row["_id"]) for row in org_rules.listed("acme")] == [second]


def test_a_simulation_says_what_would_have_met_and_what_it_cannot_know(mail: LandedMail) -> None:
    mail.land(
        *(mail_item(f"m{n}", receivedDateTime=NOW.isoformat()) for n in range(55)),
        mail_item("other", sender="x@else.example", receivedDateTime=NOW.isoformat()),
    )
    observe("ada", mail.mailbox_id)
    found = simulate("ada", FROM_BOB, 30)
    assert (found.count, len(found.newest), found.unknown) == (55, 50, [])
    assert sum(found.daily.values()) == 55
    assert simulate("ada", {"subject_contains": "INVOICE"}, 30).count == 56
    mail.gone("m1")
    text = simulate("ada", FROM_BOB | {"body_contains": "pay 12"}, 30)
    assert text.count == 54
    assert text.unknown == ["The text of 1 mail is not kept any more."]
    assert simulate("ada", {"from_folder": "f-inbox"}, 30).count == 56
    assert simulate("ada", {"from_folder": ARCHIVE}, 30).count == 0
    for wrong in ({}, {"sender_email": "bob"}):
        with pytest.raises(Refused):
            simulate("ada", wrong, 30)
