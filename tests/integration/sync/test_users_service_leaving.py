"""Users who leave: whatever dies in the middle, in the end nothing is left of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from copies import CALENDAR, CONTACTS, Copy, connected
from mail_copies import MAIL, connected_mailbox

import models
from models import (
    Connection,
    DeadLetter,
    Erasure,
    Execution,
    MailAudit,
    Notification,
    Pattern,
    Rule,
    StagedEmail,
    SyncRun,
    SyncState,
)
from pipeline import disconnecting, dispatch, push
from pipeline.clients import graph as bolt
from pipeline.connect import connect_google
from pipeline.errors import LeaseLost, Permanent, Transient
from pipeline.jobs import controls
from pipeline.jobs.reading import page
from pipeline.mailbox import observing
from pipeline.projections import graph, search
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import collection, redis_client
from pipeline.sync import engine, erasures, states
from pipeline.users import erasing, leaving
from pipeline.users.errors import Unknown

Setting = Callable[..., None]
SMALL = {"calendars": 1, "events": 5, "messages": 5, "contacts": 5, "task_lists": 1, "tasks": 5}


def connection() -> dict[str, object]:
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row is not None
    return row


#: How to read what lies under a key of Redis, by its kind.
READ: dict[str, Callable[[str], Any]] = {
    "hash": lambda key: redis_client().hgetall(key),
    "zset": lambda key: redis_client().zrange(key, 0, -1),
    "list": lambda key: redis_client().lrange(key, 0, -1),
    "set": lambda key: redis_client().smembers(key),
    "string": lambda key: redis_client().get(key),
}


def everywhere(user_id: str) -> list[str]:
    """Return where there is still something that names the user."""
    found = [
        model._meta["collection"]
        for model in models.ALL
        if model is not Erasure  # which knows whom to look for again in some minutes
        and collection(model).find_one(
            {"$or": [{"user_id": user_id}, {"_id": user_id}, {"_id": f"mailbox:{user_id}"}]}
        )
    ]
    if bolt.read("MATCH (n) WHERE n.user_id = $u RETURN count(n) AS n", u=user_id)[0]["n"]:
        found.append("the graph")
    for key in redis_client().scan_iter("*"):
        name = key.decode()
        if name.startswith("headrace:quota:") and redis_client().ttl(name) > 0:
            continue  # what was counted in the last minutes
        kind: Any = redis_client().type(name)
        held = str(READ[kind.decode()](name))
        if user_id in name + held:
            found.append(name)
    return found


def test_a_disconnect_stops_the_syncs_revokes_the_grant_and_keeps_the_copy(copy: Copy) -> None:
    copy.sync(CONTACTS)
    before = copy.live(CONTACTS)
    done = leaving.disconnect("ada", "google", "eve")
    assert done.revocation == "revoked"
    assert copy.state(CONTACTS)["status"] == "needs_reauth"
    assert copy.live(CONTACTS) == before
    assert "credentials" not in connection()
    assert leaving.disconnect("ada", "google", "eve").revocation == "gone"
    with pytest.raises(Unknown):
        leaving.disconnect("bob", "google", "eve")


def test_a_disconnect_takes_down_what_the_provider_keeps_for_us(
    copy: Copy, setting: Setting
) -> None:
    setting(PUBLIC_BASE_URL="https://headrace.example")
    copy.sync(CALENDAR)
    push.subscribe("ada", CALENDAR)
    assert copy.sandbox.watches("ada")
    leaving.disconnect("ada", "google", "eve")
    assert all(watch["ended"] for watch in copy.sandbox.watches("ada"))


def test_a_disconnect_that_nobody_finished_is_found_and_finished(
    copy: Copy, setting: Setting
) -> None:
    job = leaving.begin_disconnect("ada", "google", "eve")
    assert job
    assert connection()["status"] == "disconnected"
    redis_client().flushdb()  # the job is lost
    assert leaving.queue_unfinished() == 1
    assert leaving.queue_unfinished() == 0
    setting(GOOGLE_OAUTH_BASE_URL="http://127.0.0.1:9")
    with pytest.raises(Transient):
        leaving.finish_disconnect(str(connection()["_id"]))
    assert connection()["credentials"]
    setting(GOOGLE_OAUTH_BASE_URL=copy.sandbox.base_url)
    assert leaving.finish_disconnect(str(connection()["_id"])) == "grant: revoked"
    assert leaving.finish_disconnect(str(connection()["_id"])) == "nothing is left to do"


def test_an_old_disconnect_leaves_a_new_connection_alone(copy: Copy) -> None:
    leaving.begin_disconnect("ada", "google", "eve")
    connect_google("ada", copy.sandbox.authorized_user("ada"))
    assert leaving.finish_disconnect(str(connection()["_id"])) == "nothing is left to do"
    assert connection()["status"] == "active"
    assert copy.sync(CONTACTS).outcome == "succeeded"


def full(copy: Copy) -> None:
    """Give the user something in every store."""
    copy.sync_all()
    search.advance("ada")
    redis_client().flushdb()
    letter = {"_id": "m1", "job_id": "sync:x:ada", "status": "open", "user_id": "ada"}
    collection(DeadLetter).insert_one(letter)
    dispatch.send("sync", "ada", CONTACTS, tenant_id="default")
    dispatch.send("advance_graph", "ada", delay_seconds=300)
    controls.cancel(dispatch.send("subscribe", "ada", CONTACTS).message_id)
    controls.pause("user:ada", reason="a test", by="eve")


def test_an_erased_user_is_gone_from_every_store_and_the_others_are_not(
    sandbox: SandboxClient,
) -> None:
    ada, bob = (connected(sandbox, name, SMALL) for name in ("ada", "bob"))
    bob.sync_all()
    search.advance("bob")
    full(ada)
    nodes, documents = graph.count_nodes("bob"), search.count("bob")
    assert documents
    others = bob.live(CONTACTS)
    dispatch.send("sync", "bob", CONTACTS)
    done = erasing.erase("ada", "eve")
    assert done.complete
    assert done.grants == {"google": "revoked"}
    assert done.counts["jobs"] == 3
    assert {"records", "sync states", "users", "dead letters"} <= set(done.counts)
    assert {"graph nodes", "search documents"} <= set(done.counts)
    assert everywhere("ada") == []
    assert (graph.count_nodes("bob"), search.count("bob")) == (nodes, documents)
    assert bob.live(CONTACTS) == others
    assert [job.job_id for job in page("data-sync", "waiting", limit=9).jobs] == [
        "sync:google_contacts:bob"
    ]


def test_erasing_twice_tells_the_same_and_a_stranger_is_unknown(copy: Copy) -> None:
    copy.sync(CONTACTS)
    done = erasing.erase("ada", "eve")
    assert erasing.erase("ada", "somebody else") == done
    with pytest.raises(Unknown, match="no user 'bob'"):
        erasing.erase("bob", "eve")


def test_of_many_who_erase_at_once_all_get_to_the_end(copy: Copy) -> None:
    full(copy)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: erasing.erase("ada", "eve"), range(4)))
    assert all(one.complete for one in done)
    assert everywhere("ada") == []


def test_a_user_is_fenced_off_from_the_moment_that_erasing_is_asked_for(copy: Copy) -> None:
    controls.pause("user:ada", reason="a test", by="eve")
    assert erasing.begin_erase("ada", "eve")
    with pytest.raises(Permanent, match="being erased"):
        connect_google("ada", copy.sandbox.authorized_user("ada"))
    collection(SyncState).delete_many({})
    with pytest.raises(Permanent, match="being erased"):
        states.ensure("ada", CONTACTS, datetime.now(UTC))
    assert collection(SyncState).count_documents({}) == 0
    [job] = page("data-sync", "waiting", limit=9).jobs
    assert "ada" not in job.job_id


def test_a_run_under_way_can_keep_nothing_of_an_erased_user(copy: Copy) -> None:
    outcomes: list[str] = []
    copy.sandbox.fault("slow", times=3, params={"seconds": 1})
    run = threading.Thread(
        target=lambda: outcomes.append(engine.sync("ada", CONTACTS, force=True).outcome)
    )
    run.start()
    erasing.erase("ada", "eve")
    run.join()
    assert outcomes[0] in ("lease_lost", "needs_reauth", "not_due")
    assert everywhere("ada") == []


def test_what_was_learnt_of_a_mailbox_is_erased_with_its_user(sandbox: SandboxClient) -> None:
    mia = connected_mailbox(sandbox, "mia")
    mia.add()
    mia.sync_mail()
    graph.advance("mia")
    observing.observe("mia", mia.state(MAIL)["mailbox_id"])
    learnt = (Pattern, Rule, Execution, StagedEmail, MailAudit, Notification)
    for model in learnt:
        collection(model).insert_one({"user_id": "mia", "_id": "x", "mailbox_id": "m"})
    done = erasing.erase("mia", "eve")
    assert (done.complete, everywhere("mia")) == (True, [])
    assert {"mailboxes", "mail events", "seen mails", "rules", "patterns"} <= set(done.counts)


def test_an_erasure_that_died_goes_on_where_it_was(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(copy)
    steps = [
        (states, "release_dead_locks"), (disconnecting, "disconnect"), (graph, "wipe"),
        (controls, "resume"),
    ]  # fmt: skip
    for module, name in steps:  # killed at each of these
        with monkeypatch.context() as patch:
            patch.setattr(module, name, dies)
            with pytest.raises(KeyboardInterrupt):
                erasing.erase("ada", "eve")
        assert erasures.under_way("ada")
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(Erasure).update_many({}, {"$set": {"check_at": past}})
    redis_client().flushdb()
    assert leaving.queue_unfinished() == 1
    assert erasing.carry_out(erasures.erasure_id("ada")).complete
    assert everywhere("ada") == []


def dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_provider_that_does_not_answer_keeps_no_data_here(copy: Copy, setting: Setting) -> None:
    copy.sync_all()
    setting(GOOGLE_OAUTH_BASE_URL="http://127.0.0.1:9")
    with pytest.raises(Transient):
        erasing.erase("ada", "eve")
    assert not {"records", "sync_states", "sync_runs"} & set(everywhere("ada"))
    setting(GOOGLE_OAUTH_BASE_URL=copy.sandbox.base_url)
    done = erasing.erase("ada", "eve")
    assert done.grants == {"google": "revoked"}
    assert everywhere("ada") == []


def test_what_came_late_is_erased_too_and_then_the_id_is_forgotten(copy: Copy) -> None:
    erasing.erase("ada", "eve")
    collection(SyncRun).insert_one({"user_id": "ada", "source": CONTACTS})
    name = erasures.erasure_id("ada")
    assert leaving.queue_unfinished() == 0  # not yet
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(Erasure).update_many({}, {"$set": {"check_at": past}})
    assert leaving.queue_unfinished() == 1
    assert erasing.carry_out(name).counts["sync runs"] == 1
    assert everywhere("ada") == []
    row = collection(Erasure).find_one({})
    assert row is not None
    assert row["status"] == "closed"
    assert "ada" not in str(row)
    assert leaving.queue_unfinished() == 0


def test_who_comes_back_after_being_erased_is_kept(copy: Copy) -> None:
    erasing.erase("ada", "eve")
    copy.sandbox.tokens("ada", "rotate_off")
    connect_google("ada", copy.sandbox.authorized_user("ada"))
    past = datetime.now(UTC) - timedelta(seconds=1)
    collection(Erasure).update_many({"check_at": {"$ne": None}}, {"$set": {"check_at": past}})
    assert leaving.queue_unfinished() == 0
    erasing.carry_out(erasures.erasure_id("ada"))
    assert copy.sync(CONTACTS).outcome == "succeeded"
    again = erasing.erase("ada", "mallory")
    assert (again.by, again.counts["users"]) == ("mallory", 1)
    assert everywhere("ada") == []


def test_a_run_that_lost_its_state_says_so(copy: Copy) -> None:
    claim = states.claim("ada", CONTACTS, force=True)
    assert claim is not None
    erasing.erase("ada", "eve")
    with pytest.raises(LeaseLost):
        claim.write({"status": "idle"})
