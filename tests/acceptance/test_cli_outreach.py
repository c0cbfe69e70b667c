"""`headrace outreach` against real stores: what is told, what is done, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import document, headrace
from outreach_seed import SUBJECT, Seeded, seed

from models import AuditLog, Contact, SenderIdentity
from pipeline.cli.main import COMMANDS
from pipeline.outreach.plans.examples import welcome
from pipeline.stores import collection

LISTS = (
    *("contacts", "senders", "campaigns", "enrollments", "scheduled", "messages", "suppressions"),
)  # fmt: skip


@pytest.fixture
def made(stores: None) -> Seeded:
    """A tenant with a campaign under way."""
    return seed()


def told(*arguments: str) -> Any:
    """Return the document that a command of `headrace outreach` prints."""
    return document("outreach", *arguments, "--tenant", "acme")


def run(*arguments: str, tenant: str = "acme", stdin: str | None = None) -> Any:
    """Run a command of `headrace outreach` as a person does."""
    return headrace("outreach", *arguments, "--tenant", tenant, stdin=stdin)


def test_nobody_is_named_until_somebody_says_to_reveal_them(made: Seeded) -> None:
    shows = [
        ("contacts", "show", made.contacts[0]),
        ("enrollments", "show", made.enrollments[0]),
        ("messages", "show", made.messages[0]),
    ]
    for command in [*((name,) for name in LISTS), *shows, ("messages", "unknown")]:
        plain = run(*command)
        assert plain.exit_code == 0, plain.output
        for one in (*made.personal, SUBJECT):
            assert one not in plain.output, command
    assert collection(AuditLog).count_documents({}) == 0
    shown = told("messages", "list", "--reveal", "--as", "eve")["messages"]
    assert {one["subject"] for one in shown} == {SUBJECT}
    [row] = collection(AuditLog).find()
    told_of = ("eve", "outreach.reveal_messages", "tenant acme", "cli")
    assert (row["actor"], row["action"], row["target"], row["origin"]) == told_of


def test_without_a_command_it_is_told_how_it_stands(made: Seeded) -> None:
    lines = run().stdout.splitlines()
    assert any(line.split() == ["campaigns", "1", "draft,", "1", "active"] for line in lines)
    assert any("1 unknown" in line for line in lines)
    assert told()["next"]["what"].startswith("no click at")


def test_every_command_has_examples_and_can_answer_in_json() -> None:
    outreach = next(lazy for lazy in COMMANDS if lazy.name == "outreach").load()
    for group_name, group in outreach.commands.items():
        for name, command in getattr(group, "commands", {"": group}).items():
            path = " ".join(filter(None, ("headrace outreach", group_name, name)))
            assert path in command.epilog, path
            assert any("--json" in parameter.opts for parameter in command.params), path


def test_a_campaign_is_shown_as_a_tree_with_what_came_of_it(made: Seeded) -> None:
    shown = run("campaigns", "show", "Summer catalogue").stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert lines[2] == "Plan 2, Europe/Berlin, quiet from 21:00 to 08:00"
    assert "catalogue  send email at once  2 here  (10 sent, 30.0% opened" in lines[3]
    assert "    ├── opened within 3 d → “think”" in lines
    assert "    │   └── think  wait  2 here" in lines
    assert "    ├── no open within 3 d → “reminder”" in lines
    assert any(line.startswith("opened") and "10.8% to 60.3%" in line for line in lines)
    stats = told("campaigns", "show", made.campaign_id)["stats"]["total"]
    assert (stats["sent"], stats["outcomes"]["clicked"]["count"]) == (10, 2)
    first = told("campaigns", "list", "--limit", "1")
    second = told("campaigns", "list", "--limit", "1", "--after", first["next"])
    named = [page["campaigns"][0]["name"] for page in (first, second)]
    assert named == ["Winter sale", "Summer catalogue"]
    assert second["next"] is None


def test_a_plan_is_checked_and_its_errors_named_by_path(stores: None, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(welcome()))
    plan = welcome()
    plan["nodes"][0]["transitions"][0]["to"] = "nowhere"
    plan["nodes"][1]["transitions"] = [{"on": "opened", "to": "nobody"}]
    bad.write_text(json.dumps(plan))
    checked = headrace("outreach", "campaigns", "check", str(good))
    assert checked.exit_code == 0
    assert "welcome  send email at once" in checked.stdout
    wrong = headrace("outreach", "campaigns", "check", str(bad))
    assert wrong.exit_code == 2
    assert "error: nodes[0].transitions[0].to: " in wrong.stderr
    assert "error: nodes[1].transitions[0].to: " in wrong.stderr
    errors = json.loads(
        headrace("outreach", "campaigns", "check", "-", "--json", stdin=bad.read_text()).stdout
    )["errors"]
    assert {one["path"] for one in errors} >= {f"nodes[{n}].transitions[0].to" for n in (0, 1)}
    nonsense = headrace("outreach", "campaigns", "check", "-", stdin="{")
    assert (nonsense.exit_code, "is not JSON" in nonsense.stderr) == (2, True)


def test_from_a_file_of_people_to_a_campaign_under_way(
    stores: None, setting: Callable[..., None], tmp_path: Path
) -> None:
    setting(PUBLIC_BASE_URL="https://headrace.example")
    people, plan = tmp_path / "people.csv", tmp_path / "welcome.json"
    people.write_text("email,first_name\nada@shop.example,Ada\nnobody,Nobody\n")
    plan.write_text(json.dumps(welcome()))
    made = run("senders", "add", "Sales", "sales@acme.example", "--provider", "sendgrid")
    assert made.exit_code == 0, made.output
    made = run("campaigns", "create", "Welcome", "--plan", str(plan), "--email-sender", "Sales")
    assert made.exit_code == 0, made.output
    missing = run("campaigns", "activate", "Welcome")
    assert missing.exit_code == 1
    assert "missing: email_sender_id" in missing.stderr
    collection(SenderIdentity).update_one({}, {"$set": {"status": "verified"}})
    imported = run("contacts", "import", str(people))
    assert imported.exit_code == 1
    assert "this is not an e-mail address" in imported.stdout
    assert "2 rows: 1 created, 0 updated, 0 unchanged, 1 rejected" in imported.stderr
    [report] = told("contacts", "imports")["imports"]
    assert told("contacts", "import-report", report["id"])["problems"][0]["row"] == 3
    assert told("campaigns", "enroll", "Welcome", "--import", report["id"])["added"] == 1
    again = told("campaigns", "enroll", "Welcome", "ada@shop.example")
    assert again == {"added": 0, "already": 1, "refused": 0}
    assert told("campaigns", "activate", "Welcome")["status"] == "active"
    [enrollment] = told("enrollments", "list", "--campaign", "Welcome")["enrollments"]
    assert enrollment["status"] == "pending"
    assert run("campaigns", "pause", "Welcome", "--reason", "a typo").exit_code == 0
    assert "paused" in run("campaigns", "show", "Welcome").stdout
    assert told("campaigns", "stop", "Welcome", "--yes")["status"] == "stopped"
    acts = set(collection(AuditLog).distinct("action"))
    assert {"sender.create", "contacts.import", "campaign.enroll", "campaign.stop"} <= acts


def test_senders_tenants_and_suppressions_are_set_from_here(made: Seeded) -> None:
    headrace("outreach", "tenants", "set", "acme", "--sends-per-hour", "7", "--unset", "name")
    tenant = document("outreach", "tenants", "show", "acme")
    assert (tenant["sends_per_hour"], tenant["name"]) == (7, None)
    wrong = headrace("outreach", "tenants", "set", "acme", "--unset", "colour")
    assert wrong.exit_code == 1
    assert "there is no such field" in wrong.stderr
    headrace("outreach", "tenants", "pause", "acme", "--reason", "complaints", "--as", "eve")
    assert "paused by eve: complaints" in headrace("outreach", "tenants").stdout
    told("senders", "pause", "Shop news")
    [sender] = [one for one in told("senders")["senders"] if one["name"] == "Shop news"]
    assert (sender["paused"], sender["budgets"][0]["limit"]) == (True, 20)
    told("senders", "set", "Shop news", "--per-hour", "500")
    done = told("senders", "set", "Shop news", "--per-minute", "5", "--display-name", "The shop")
    assert (done["changed"], done["status"]) == (["display_name", "limits"], "verified")
    shown = told("senders", "show", "Shop news")
    assert [use["limit"] for use in shown["budgets"][:3]] == [5, 500, 10_000]
    told("suppressions", "add", "BOB@shop.example", "--note", "asked by phone")
    kept = told("suppressions", "list", "--reason", "manual", "--reveal")["suppressions"]
    assert kept[0]["address"] == "bob@shop.example"
    told("suppressions", "lift", "bob@shop.example")
    assert run("suppressions", "lift", "bob@shop.example").exit_code == 1


def test_what_is_unknown_is_settled_by_a_person_and_a_contact_forgotten(made: Seeded) -> None:
    [unknown] = told("messages", "unknown")["messages"]
    assert unknown["id"] == made.unknown
    assert run("messages", "resolve", made.unknown).exit_code == 2
    assert told("messages", "resolve", made.unknown, "--sent")["sent"] is True
    assert told("messages", "unknown")["messages"] == []
    contact_id = made.contacts[1]
    unasked = run("contacts", "forget", contact_id)
    assert unasked.exit_code == 2
    done = told("contacts", "forget", contact_id, "--yes")
    assert (done["messages"], done["enrollments"], done["was_forgotten"]) == (1, 1, False)
    assert told("contacts", "forget", contact_id, "--yes")["was_forgotten"] is True
    assert "email" not in (collection(Contact).find_one({"_id": contact_id}) or {})


def test_what_is_not_there_is_said_with_the_nearest(made: Seeded) -> None:
    wrong = run("campaigns", "show", "Sumer catalogue")
    assert wrong.exit_code == 2
    assert "did you mean 'Summer catalogue'?" in wrong.stderr
    assert "did you mean 'Shop news'?" in run("senders", "pause", "Shop new").stderr
    assert run("messages", "list", "--state", "sended").exit_code == 2
    other = run("campaigns", "show", made.campaign_id, tenant="other")
    assert other.exit_code == 2
    assert run("enrollments", "show", made.enrollments[0], tenant="other").exit_code == 1
    assert run("contacts", "show", made.contacts[0], tenant="other").exit_code == 2
