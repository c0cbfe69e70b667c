"""Searching jobs in a real Redis: what is found, also among very many."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from history_jobs import Carrier, in_the_table, send, until_state, working

from pipeline import queues
from pipeline.dispatch import send_many
from pipeline.jobs import controls, reading, search
from pipeline.jobs.entries import Entry
from pipeline.jobs.search import parsed
from pipeline.jobs.sending import Send
from pipeline.jobs.walking import Place
from pipeline.queues import EMAIL, Job
from pipeline.stores import redis_client


@pytest.fixture(autouse=True)
def table(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A queue of parcels beside the real ones; Redis is empty."""
    redis_client().flushdb()
    with in_the_table(monkeypatch):
        yield


@pytest.fixture(params=["few jobs", "many jobs"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to search: walking through all, and through the ids of what is alive."""
    if request.param == "many jobs":
        monkeypatch.setattr(search, "_WALKED", 0)


def found(text: str, limit: int = 1000) -> list[str]:
    """Return the users of the jobs that are found, in order."""
    return [one.scope("user") for one in search.search(parsed(text), limit=limit).jobs]


def parcels(*sends: tuple[str, str], tenant_id: str = "") -> None:
    send_many(Send("carry", (*one, "home"), tenant_id=tenant_id) for one in sends)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("text", "users"),
    [
        ("alice", ["alice:b", "alice"]),
        ("ALICE", ["alice:b", "alice"]),
        ("user:alice", ["alice"]),
        ("user:alice:b", ["alice:b"]),
        ("user:ali", []),
        ("source:sofa", ["50%", "alice"]),
        ("user:alice source:sofa", ["alice"]),
        ("user:alice source:bed", []),
        ("user:50%", ["50%"]),
        ("tenant:acme", ["acme's"]),
        ("carry:sofa", ["50%", "alice"]),
        ("id:carry:sofa:alice", ["alice"]),
        ("id:carry:sofa", []),
        ("job:carry user:alice", ["alice"]),
        ("job:car", []),
        ("[a-z]*", ["[a-z]*"]),
        ("a?ice", []),
        ("a\\ice", ["a\\ice"]),
        ('"two words"', ["two words"]),
        ("two words alice", []),
        ("zoë", ["zoë"]),
        ("state:waiting alice", ["alice:b", "alice"]),
        ("state:failed alice", []),
        ("queue:graph alice", []),
        ("queue:parcels alice", ["alice:b", "alice"]),
        ("error:alice", []),
    ],
)
def test_waiting_jobs_are_found(text: str, users: list[str]) -> None:
    parcels(("alice", "sofa"))
    time.sleep(0.002)
    parcels(("alice:b", "bed"), ("[a-z]*", "bed"), ("a\\ice", "bed"), ("two words", "bed"))
    time.sleep(0.002)
    parcels(("zoë", "bed"), ("50%", "sofa"))
    parcels(("acme's", "bed"), tenant_id="acme")
    assert found(text) == users


@pytest.mark.usefixtures("either_way")
def test_jobs_in_every_state_are_found_in_order() -> None:
    later = send("ada1", delay_seconds=600)
    with working(carrier := Carrier()):
        done = until_state(send("ada2"), "completed").message_id
        failed = until_state(send("ada3", note="torn"), "failed").message_id
        again = until_state(send("ada4", note="nobody there"), "delayed").message_id
        running = until_state(send("ada5", note="far"), "running").message_id
        controls.pause("queue:parcels", reason="", by="test")
        waiting = send("ada6")

        def ids(text: str) -> list[str]:
            return [one.message_id for one in search.search(parsed(text), limit=10).jobs]

        assert ids("ada") == [waiting, running, failed, done, later, again]
        assert ids("error:torn") == ids("error:Permanent state:failed torn") == [failed]
        assert ids("error:oserror") == [again]
        assert ids("state:running state:failed ada") == [running, failed]
        assert ids("error:class") == []
        carrier.go_on.set()


def test_what_one_tick_or_worker_did_is_found() -> None:
    with working():
        parent = until_state(send("ada", note="many"), "completed")
        [child] = reading.children(parent.message_id)
        until_state(child.message_id, "completed")
    send("bob")
    for text in (f"correlation:{parent.correlation_id}", f"worker:{parent.worker}"):
        assert found(text) == ["ada", "ada"]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_the_pages_of_a_search_hold_each_match_once(limit: int) -> None:
    parcels(*((f"{'ada' if n % 3 else 'bob'}{n:03}", "sofa") for n in range(100)))
    seen: list[Entry] = []
    before: Place | None = None
    while True:
        page = search.search(parsed("ada"), limit=limit, before=before)
        seen += page.jobs
        before = page.next
        if before is None:
            break
    assert [one.message_id for one in seen] == [
        one.message_id for one in search.search(parsed("ada"), limit=1000).jobs
    ]
    assert len(seen) == 66


def test_a_term_that_fits_too_many_ids_is_looked_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "_WALKED", 0)
    monkeypatch.setattr(search, "_RARE", 10)
    parcels(*((f"ada{n:03}", "sofa") for n in range(100)))
    assert len(found("ada", limit=70)) == 70


def test_a_page_says_where_only_ids_were_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_WALKED", 0)
    parcels(("alice", "sofa"))
    for text, places in {
        "alice": (("parcels", "waiting"),),
        "user:alice": (),
        "user:alice sofa": (),
        "error:alice": (),
        "carr": (("parcels", "waiting"),),
        "state:failed alice": (),
    }.items():
        assert search.search(parsed(text), limit=10).ids_only == places


def test_a_job_is_found_by_its_name_though_its_id_does_not_hold_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "_WALKED", 0)
    monkeypatch.setitem(queues.JOBS, "nightly", Job("nightly", EMAIL, ("user_id",), id="{user_id}"))
    send_many([Send("nightly", ("alice",))])
    assert found("Nightly") == found("night user:alice") == ["alice"]


def test_a_user_is_found_though_the_ids_of_some_jobs_do_not_name_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "_WALKED", 0)
    monkeypatch.setitem(queues.JOBS, "nightly", Job("nightly", EMAIL, ("user_id",), id="nightly"))
    send_many([Send("nightly", ("alice",))])
    assert found("user:alice") == ["alice"]


def test_any_kind_of_term_is_answered_among_many_jobs() -> None:
    sources = ("google_calendar", "google_gmail", "google_contacts", "google_tasks")
    send_many(
        Send("sync", (f"user{n:05}", source), tenant_id=f"tenant{n % 100}")
        for n in range(6_000)
        for source in sources
    )
    one = "sync:google_gmail:user00500"
    for text in (
        "user00500 gmail",
        "user:user00500 source:google_gmail",
        f"id:{one}",
        f"tenant:tenant0 {one}",
        f"job:sync state:waiting {one}",
    ):
        [job] = search.search(parsed(text), limit=50).jobs
        assert job.job_id == one
    for text in ("nowhere", "tenant:nobody", "error:Transient", "correlation:none"):
        assert search.search(parsed(text), limit=50).jobs == []
    assert len(search.search(parsed("source:google_tasks"), limit=50).jobs) == 50
