"""The Dead letters pages: causes, letters, replay and dismissal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from browsers import signed_in

from models import DeadLetter
from pipeline.dead_letters.replaying import job_id_of
from pipeline.jobs.reading import find
from pipeline.stores import collection

HX = {"HX-Request": "true"}
HOME = "/admin/dead-letters"


def letter(number: int, fingerprint: str = "f00d", **changes: object) -> str:
    """Keep one dead sync of a user."""
    name = f"{number:016x}"
    now = datetime.now(UTC)
    row = {
        "_id": name,
        "job_id": f"sync:google_tasks:user-{number}",
        "status": "open",
        "times": 2,
        "counted": [name],
        "first_seen_at": now,
        "last_seen_at": now,
        "message_id": name,
        "job": "sync",
        "queue": "data-sync",
        "tenant_id": "acme",
        "user_id": f"user-{number}",
        "args": f'["user-{number}","google_tasks"]'.encode(),
        "fingerprint": fingerprint,
        "reason": "permanent",
        "error": {"class": "Permanent", "message": "tasks.list was answered 400"},
        "traceback": "in pages\n  <b>frames</b>",
        "release": "0.1.0",
        "correlation_id": "c0ffee",
    }
    collection(DeadLetter).insert_one(row | changes)
    return name


def test_letters_are_grouped_by_what_killed_them(stores: None) -> None:
    for number in range(3):
        letter(number)
    letter(9, "beef", error={"class": "KeyError", "message": ""}, queue="graph")
    page = signed_in("viewer").get(HOME).text
    assert "Permanent: tasks.list was answered 400" in page
    assert "KeyError" in page
    assert "f00d" in page
    assert "/replay" not in page  # not a viewer's
    only = signed_in("viewer").get(f"{HOME}?queue=graph").text
    assert "beef" in only
    assert "f00d" not in only


def test_without_letters_the_page_says_why(stores: None) -> None:
    page = signed_in("viewer").get(HOME).text
    assert "Nothing is dead" in page
    assert "DEAD_LETTER_RETENTION_DAYS" in signed_in().get(f"{HOME}?status=replayed").text


def test_a_group_shows_its_letters_and_hides_nothing_in_markup(stores: None) -> None:
    letter(1, user_id="<script>x</script>", job_id="sync:google_tasks:ada@example.com")
    page = signed_in("operator").get(f"{HOME}/f00d").text
    assert "<script>x" not in page
    assert "&lt;b&gt;frames" in page
    assert "ada@example.com" not in page
    assert "a…@…" in page


def test_replaying_a_group_twice_is_one_replay(stores: None) -> None:
    letter(1)
    client = signed_in("operator")
    assert client.post(f"{HOME}/f00d/replay", headers=HX).status_code == 204
    assert client.post(f"{HOME}/f00d/replay", headers=HX).status_code == 204
    [run] = find(job_id_of("f00d"))
    assert run.state == "waiting"
    assert "Waiting for a worker" in client.get(f"{HOME}/f00d").text


def test_a_dismissal_needs_a_reason_and_is_told_with_it(stores: None) -> None:
    letter(1)
    client = signed_in("operator")
    refused = client.post(f"{HOME}/f00d/dismiss", data={"reason": "  "}, headers=HX)
    assert refused.status_code == 400
    done = client.post(f"{HOME}/f00d/dismiss", data={"reason": "a test account"}, headers=HX)
    assert done.status_code == 204
    page = client.get(f"{HOME}/f00d?status=dismissed").text
    assert "Dismissed by the-operator: a test account" in page
    again = client.post(f"{HOME}/f00d/dismiss", data={"reason": "twice"}, headers=HX)
    assert again.status_code == 409


def test_one_letter_is_replayed_or_dismissed_alone(stores: None) -> None:
    one, other = letter(1), letter(2)
    client = signed_in("operator")
    assert client.post(f"{HOME}/letters/{one}/replay", headers=HX).status_code == 204
    url = f"{HOME}/letters/{other}/dismiss"
    assert client.post(url, data={"reason": "gone"}, headers=HX).status_code == 204
    assert collection(DeadLetter).count_documents({"status": "open"}) == 1
    assert client.post(f"{HOME}/letters/{other}/replay", headers=HX).status_code == 409


@pytest.mark.parametrize(
    "path", [f"{HOME}/none", f"{HOME}?status=lost", f"{HOME}?after=x", f"{HOME}?after=9-"]
)
def test_what_is_not_there_is_not_found(stores: None, path: str) -> None:
    assert signed_in("viewer").get(path).status_code == 404


def test_an_unknown_group_or_letter_cannot_be_acted_on(stores: None) -> None:
    client = signed_in("operator")
    for path in ("none/replay", "none/dismiss", "letters/none/replay", "letters/none/dismiss"):
        sent = client.post(f"{HOME}/{path}", data={"reason": "x"}, headers=HX)
        assert sent.status_code == 404, path


def test_many_groups_come_a_page_at_a_time(stores: None) -> None:
    for number in range(60):
        letter(number, f"{number:04x}")
    client = signed_in("viewer")
    first = client.get(HOME).text
    follow = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = client.get(f"{HOME}{follow.replace('&amp;', '&')}").text
    names = {f"{number:04x}" for number in range(60)}
    shown = [{name for name in names if f"{HOME}/{name}" in page} for page in (first, second)]
    assert shown[0] | shown[1] == names
    assert not shown[0] & shown[1]
