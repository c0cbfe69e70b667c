"""`headrace dead-letters` against real stores and a worker of this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from letter_jobs import Deliveries, letters_of, only_these_jobs, send, working
from typer.testing import CliRunner, Result
from waiting import wait_until

from models import DeadLetter
from pipeline import dead_letters
from pipeline.cli.main import app
from pipeline.dead_letters import transitions
from pipeline.dead_letters.stages import stages
from pipeline.jobs import layout
from pipeline.stores import collection, redis_client


@pytest.fixture
def deliveries(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliveries]:
    """The jobs of these tests, and a worker."""
    made = Deliveries()
    with only_these_jobs(monkeypatch), working(made):
        yield made


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *arguments])


def document(*arguments: str) -> Any:
    return json.loads(command(*arguments, "--json").stdout)


def group_of(letter_id: str) -> str:
    found = dead_letters.find(letter_id)
    assert found is not None
    return str(found["fingerprint"])


def test_without_a_command_the_groups_are_listed(deliveries: Deliveries) -> None:
    [name, _] = letters_of(deliveries, "alice", "bob")
    for arguments in ((), ("list",)):
        shown = command(*arguments).stdout
        for part in (group_of(name), "deliver", "permanent", "Bad: nobody opens"):
            assert part in shown
    [group] = document()["groups"]
    assert (group["letters"], group["tenants"], group["users"]) == (2, 1, 2)
    assert group["sample"]["arguments"] in ({"user_id": "alice"}, {"user_id": "bob"})


def test_the_letters_of_a_group_are_listed_a_page_at_a_time(deliveries: Deliveries) -> None:
    [name, *_] = letters_of(deliveries, *(f"user{number}" for number in range(5)))
    listed = ["list", "--group", group_of(name), "--limit", "2"]
    first = document(*listed)
    assert len(first["letters"]) == 2
    rest = document(*listed[:-1], "10", "--after", first["next"])
    names = {letter["id"] for letter in first["letters"] + rest["letters"]}
    assert len(names) == 5
    assert rest["next"] is None
    assert f"--after {first['next']}" in command(*listed).stderr


def test_a_list_mentions_replays_that_nobody_has_ended(deliveries: Deliveries) -> None:
    name, _ = letters_of(deliveries, "alice", "bob")
    assert transitions.claim(name, "ada")
    assert "1 more are being replayed" in command("list").stderr


def test_filters_narrow_the_list(deliveries: Deliveries) -> None:
    letters_of(deliveries, "alice")
    assert document("list", "--queue", "graph")["groups"] == []
    assert document("list", "--status", "dismissed")["groups"] == []
    assert "no such dead letters" in command("list", "--job", "sync").stderr
    assert len(document("list", "--status", "all", "--tenant", "acme")["groups"]) == 1


def test_a_letter_is_shown_with_its_place_in_the_code_and_its_log(
    deliveries: Deliveries,
) -> None:
    [name] = letters_of(deliveries, "ada@example.com")
    shown = command("show", name).stdout
    for part in ("letter_jobs.py", "in deliver", "on the way", "Bad: nobody opens", "user_id a…@…"):
        assert part in shown
    assert "ada@example.com" not in shown
    told = document("show", "deliver:ada@example.com")
    assert (told["id"], told["status"], told["error"]["class"]) == (name, "open", "Bad")
    assert told["arguments"] == {"user_id": "a…@…"}


def test_a_group_is_shown_with_its_newest_letter(deliveries: Deliveries) -> None:
    [name, _] = letters_of(deliveries, "alice", "bob")
    group = group_of(name)
    shown = command("show", group).stdout
    assert group in shown
    assert "Where it failed" in shown
    assert document("show", group)["letters"] == 2


def test_a_replayed_group_is_told_stage_by_stage(deliveries: Deliveries) -> None:
    [name, *_] = letters_of(deliveries, *(f"user{number}" for number in range(13)))
    deliveries.failing.clear()
    result = command("replay", "--group", group_of(name), "--as", "ada")
    assert result.exit_code == 0, result.output
    for part in ("canary of 1 ", "canary of 10", "rest"):
        assert part in result.stdout
    assert collection(DeadLetter).count_documents({"status": "replayed", "acted_by": "ada"}) == 13
    assert command("replay", "--group", group_of(name)).exit_code == 2
    assert command("replay", "--all").exit_code == 0


def test_a_replay_that_stops_at_the_canary_ends_with_1_and_says_why(
    deliveries: Deliveries,
) -> None:
    names = letters_of(deliveries, *(f"user{number:02}" for number in range(20)))
    users = {row["_id"]: row["user_id"] for row in collection(DeadLetter).find()}
    order = [users[name] for stage in stages(names) for name in stage.letter_ids]
    deliveries.failing = set(order[2:8])
    result = command("replay", "--all")
    assert result.exit_code == 1
    assert "stopped: 6 of 10 failed again (canary of 10). 9 letters are left" in result.stdout
    assert "failed again: Bad: nobody opens" in result.stdout
    again = document("replay", "--all")
    assert again["groups"][0]["stopped"]


def test_one_letter_is_replayed_by_its_job_id(deliveries: Deliveries) -> None:
    letters_of(deliveries, "alice")
    deliveries.failing.clear()
    result = command("replay", "deliver:alice", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["groups"][0]["completed"] == 1
    assert deliveries.done == {"alice": 1}


def test_what_cannot_be_replayed_says_so_and_is_dismissed_with_a_reason(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Deliveries()
    with only_these_jobs(monkeypatch):
        [name] = send("alice")
        redis_client().hset(layout.job(name), "args", "no JSON")
        with working(made):
            wait_until(lambda: dead_letters.drain() == 1, "the message is set aside")
        one = command("replay", name)
        assert (one.exit_code, "only dismissed" in one.stderr) == (1, True)
        everything = command("replay", "--all")
        assert everything.exit_code == 1
        assert "1 of its letters cannot be replayed, only dismissed" in everything.stdout
        assert "cannot be read" in command("show", name).stdout
        assert document("dismiss", name, "--reason", "broken")["dismissed"] == 1
        assert command("dismiss", name, "--reason", "broken").exit_code == 2
    shown = command("show", name).stdout
    assert ": broken" in shown


def test_a_group_is_dismissed_at_once(deliveries: Deliveries) -> None:
    [name, _] = letters_of(deliveries, "alice", "bob")
    result = command("dismiss", "--group", group_of(name), "--reason", "both have left")
    assert result.exit_code == 0
    assert "2 dismissed" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["list", "--status", "opne"], "did you mean 'open'?"),
        (["list", "--after", "yesterday"], "not a place"),
        (["show", "nothing"], "there is no dead letter"),
        (["replay"], "give an ID, --group, or --all"),
        (["replay", "x", "--all"], "give an ID, --group, or --all"),
        (["replay", "nothing"], "there is no dead letter 'nothing'"),
        (["replay", "--group", "nothing"], "no open dead letters"),
        (["dismiss", "x", "--reason", " "], "--reason: say why"),
        (["dismiss", "--reason", "x"], "give an ID or --group"),
        (["dismiss", "--group", "nothing", "--reason", "x"], "nothing to dismiss"),
    ],
)
def test_wrong_use_ends_with_2_and_a_hint(stores: None, arguments: list[str], hint: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize("name", ["list", "show", "replay", "dismiss"])
def test_every_command_has_examples_and_can_answer_in_json(name: str) -> None:
    shown = command(name, "--help").output
    assert f"headrace dead-letters {name}" in shown
    assert "--json" in shown
