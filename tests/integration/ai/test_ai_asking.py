"""Asking once: what is the same is not asked again, and what is not the tenant's is not there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import ai_rows as rows
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models import AiRequest, User
from pipeline.errors import Gone, LeaseLost
from pipeline.jobs.search import Query, Term, search
from pipeline.platform import ai
from pipeline.refusals import Refused
from pipeline.stores import collection, redis_client

pytestmark = pytest.mark.usefixtures("stores")


def queued_jobs(request_id: str) -> int:
    wanted = Query((Term("actor", "run_ai"),), states=("waiting", "delayed"))
    return sum(job.job_id.endswith(request_id) for job in search(wanted, limit=1000).jobs)


def test_the_same_is_asked_once() -> None:
    tenant, _ = rows.new_user()
    first = rows.ask_text(tenant)
    again = rows.ask_text(tenant, options={"style": "brief"})
    assert (first["_id"], first["status"]) == (again["_id"], "queued")
    assert queued_jobs(first["_id"]) == 1
    rows.done(first)
    assert rows.ask_text(tenant)["status"] == "done"
    assert ai.run(first["_id"]) == "it was answered before"
    assert len(rows.calls(first)) == 1


def test_many_at_once_ask_once() -> None:
    tenant, _ = rows.new_user()
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: rows.ask_text(tenant)["_id"], range(16)))
    assert len(set(asked)) == 1
    assert collection(AiRequest).count_documents({"tenant_id": tenant}) == 1


def test_what_makes_a_difference_is_asked_by_itself() -> None:
    tenant, user = rows.new_user()
    other, _ = rows.new_user()
    asked = [
        rows.ask_text(tenant),
        rows.ask_text(tenant, options={"style": "comprehensive"}),
        rows.ask_text(tenant, text=rows.LETTER + "!"),
        rows.ask_text(tenant, "note-cleanup"),
        rows.ask_text(tenant, user_id=user),
        rows.ask_text(other),
    ]
    assert len({row["_id"] for row in asked}) == len(asked)


def test_a_request_says_where_its_result_came_from() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    row = rows.done(ai.ask(tenant, "categorize", entity=("record", record), by="ann"))
    assert row["entity"] == {"kind": "record", "id": record}
    assert (row["user_id"], row["requested_by"], row["attempts"]) == (user, "ann", 1)
    assert row["result"]["top_suggestion"] == "finance"
    assert "content" not in row
    [call] = rows.calls(row)
    assert call["answered"]
    assert (call["tenant_id"], call["user_id"], call["provider"]) == (tenant, user, "local")


def test_a_thread_is_all_of_its_mails_that_are_there() -> None:
    tenant, user = rows.new_user()
    for number, text in enumerate(("The first was sold.", "The second was bought.", "Gone.")):
        at = f"2026-03-0{number + 2}T08:00:00Z"
        fields = {"bodyPreview": text, "subject": "Boats", "conversationId": "c1"}
        record = rows.land_mail(user, f"m{number}", receivedDateTime=at, **fields)
    rows.land_mail(user, "other", bodyPreview="Another thread.", conversationId="c2")
    rows.delete(record)
    entity = ("thread", "microsoft_mail:c1")
    row = rows.done(ai.ask(tenant, "generate-summary", entity=entity, user_id=user, by=rows.BY))
    assert row["result"]["summary"] == "The first was sold. The second was bought."
    assert ai.results_of(tenant, entity, user_id=user) == [row]


def test_gmail_threads_are_found_too() -> None:
    tenant, user = rows.new_user()
    headers = [{"name": "Subject", "value": "Boats"}, {"name": "From", "value": "a@x.example"}]
    item = {"threadId": "t1", "snippet": "It&#39;s sold.", "payload": {"headers": headers}}
    rows.land(user, "google_gmail", "messages", "g1", item)
    entity = ("thread", "google_gmail:t1")
    row = rows.done(ai.ask(tenant, "generate-summary", entity=entity, user_id=user, by=rows.BY))
    assert row["result"]["summary"] == "It's sold."


def test_what_has_changed_since_is_asked_of_as_it_is_now() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    entity = ("record", record)
    old = ai.ask(tenant, "generate-summary", entity=entity, by=rows.BY)
    rows.land_mail(user, bodyPreview="Never mind, it is paid.")
    assert "another request" in ai.run(old["_id"])
    assert rows.stored(old)["status"] == "replaced"
    newer = ai.result(tenant, old["_id"])
    assert newer is not None
    assert newer["_id"] != old["_id"]
    assert queued_jobs(newer["_id"]) == 1
    assert rows.done(newer)["result"]["summary"] == "Never mind, it is paid."
    found = ai.result(tenant, old["_id"])
    assert found is not None
    assert found["status"] == "done"
    assert rows.calls(old) == []


def test_a_content_that_is_back_is_asked_of_again() -> None:
    tenant, user = rows.new_user()
    entity = ("record", rows.land_mail(user))
    old = ai.ask(tenant, "generate-summary", entity=entity, by=rows.BY)
    rows.land_mail(user, bodyPreview="Never mind, it is paid.")
    ai.run(old["_id"])
    rows.land_mail(user)
    again = ai.ask(tenant, "generate-summary", entity=entity, by=rows.BY)
    assert (again["_id"], again["status"]) == (old["_id"], "queued")
    assert rows.done(again)["result"]["summary"] == "Please pay 12 EUR"


def test_what_is_gone_by_then_is_told_as_gone() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    row = ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY)
    rows.delete(record)
    with pytest.raises(Gone):
        ai.run(row["_id"])
    assert rows.stored(row)["status"] == "failed"
    assert "no such record" in rows.stored(row)["error"]["message"]


def test_what_has_failed_is_tried_again_when_it_is_asked_again() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    entity = ("record", record)
    row = ai.ask(tenant, "generate-summary", entity=entity, by=rows.BY)
    rows.delete(record)
    with pytest.raises(Gone):
        ai.run(row["_id"])
    rows.land_mail(user)
    again = ai.ask(tenant, "generate-summary", entity=entity, by=rows.BY)
    assert (again["_id"], again["status"], again["attempts"]) == (row["_id"], "queued", 0)
    assert "error" not in again
    assert rows.done(again)["status"] == "done"
    with pytest.raises(Refused, match="only what has failed is tried again; it is done"):
        ai.retry(tenant, row["_id"])


@pytest.mark.parametrize(
    ("content", "field"),
    [(None, "content"), ("", "content"), (" \n", "content"), ("x" * 100_001, "content")],
)
def test_a_text_over_the_limits_is_refused(content: str | None, field: str) -> None:
    tenant, _ = rows.new_user()
    with pytest.raises(Refused) as caught:
        ai.ask(tenant, "generate-summary", content=content, by=rows.BY)
    assert caught.value.field == field
    assert collection(AiRequest).count_documents({"tenant_id": tenant}) == 0


@pytest.mark.parametrize("text", ["a\x00b", "\ud800 is half a pair"])
def test_a_text_that_is_none_is_refused(text: str) -> None:
    tenant, _ = rows.new_user()
    with pytest.raises(Refused, match="characters that no text has"):
        rows.ask_text(tenant, text=text)


@pytest.mark.parametrize(
    ("entity", "field"),
    [
        (("record", "xyz"), "entity.id"),
        (("record", "00" * 16), "entity.id"),
        (("thread", "c1"), "entity.id"),
        (("thread", "google_tasks:t1"), "entity.id"),
        (("thread", "google_gmail:none"), "entity.id"),
        (("mail", "m1"), "entity.kind"),
    ],
)
def test_an_entity_that_there_is_not_is_refused(entity: tuple[str, str], field: str) -> None:
    tenant, user = rows.new_user()
    with pytest.raises(Refused) as caught:
        ai.ask(tenant, "generate-summary", entity=entity, user_id=user, by=rows.BY)
    assert caught.value.field == field


def test_a_record_without_a_text_is_refused() -> None:
    tenant, user = rows.new_user()
    folder = rows.land(user, "microsoft_mail", "folders", "f1", {"id": "f1", "displayName": "In"})
    with pytest.raises(Refused, match="has no text"):
        ai.ask(tenant, "generate-summary", entity=("record", folder), by=rows.BY)


def test_nothing_is_done_for_a_user_who_is_not_active() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    row = ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY)
    collection(User).update_one({"_id": user}, {"$set": {"is_active": False}})
    with pytest.raises(Refused, match="not active"):
        ai.ask(tenant, "categorize", entity=("record", record), by=rows.BY)
    with pytest.raises(Gone):
        ai.run(row["_id"])


WAYS = st.sampled_from(["record", "thread", "text"])


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owners=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), WAYS), min_size=1, max_size=6),
)
def test_no_tenant_reaches_what_is_anothers(
    owners: list[int], asked: list[tuple[int, int, str]]
) -> None:
    """Whoever asks in whatever way: there is an answer only about one's own."""
    tenants = [rows.new_user() for _ in range(3)]
    items = []
    for number, owner in enumerate(owners):
        _, user = tenants[owner]
        thread = f"c{number}-{user}"
        record = rows.land_mail(user, f"m{number}", conversationId=thread)
        items.append((owner, user, {"record": record, "thread": f"microsoft_mail:{thread}"}))
    for asker, number, way in asked:
        tenant, _ = tenants[asker]
        owner, user, ids = items[number % len(items)]
        wanted: dict[str, Any] = {"user_id": user, "by": rows.BY}
        wanted |= {"content": rows.LETTER} if way == "text" else {"entity": (way, ids[way])}
        try:
            row = ai.ask(tenant, "generate-summary", **wanted)
        except Refused as refusal:
            assert asker != owner
            assert "there is no" in str(refusal)
            continue
        assert asker == owner
        for index, (other, _) in enumerate(tenants):
            is_own = index == owner
            assert (ai.result(other, row["_id"]) is not None) == is_own
            listed = {one["_id"] for one in ai.listed(other)}
            assert (row["_id"] in listed) == is_own
            if not is_own:
                with pytest.raises(Refused, match="no such request"):
                    ai.retry(other, row["_id"])


def test_a_user_who_moved_to_another_tenant_is_not_told_of_to_the_former() -> None:
    tenant, user = rows.new_user()
    record = rows.land_mail(user)
    row = ai.ask(tenant, "generate-summary", entity=("record", record), by=rows.BY)
    collection(User).update_one({"_id": user}, {"$set": {"tenant_id": "elsewhere"}})
    with pytest.raises(Gone):
        ai.run(row["_id"])
    assert "result" not in rows.stored(row)


def test_a_request_that_has_lost_its_job_is_queued_again() -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    redis_client().flushdb()
    assert ai.find().startswith("0 requests")
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    collection(AiRequest).update_one({"_id": row["_id"]}, {"$set": {"look_at": long_ago}})
    assert ai.find().startswith("1 request ")
    assert queued_jobs(row["_id"]) == 1
    assert ai.find().startswith("0 requests")


def test_a_text_is_dropped_and_its_result_stays() -> None:
    tenant, _ = rows.new_user()
    answered = rows.done(rows.ask_text(tenant))
    late = rows.ask_text(tenant, "note-cleanup")
    past = datetime.now(UTC) - timedelta(seconds=1)
    both = {"_id": {"$in": [answered["_id"], late["_id"]]}}
    collection(AiRequest).update_many(both, {"$set": {"content_until": past}})
    assert ai.find().endswith("2 texts dropped")
    assert "content" not in rows.stored(answered)
    assert rows.ask_text(tenant)["result"] == answered["result"]
    with pytest.raises(Refused, match="not kept any more; submit it again"):
        ai.run(late["_id"])
    # Submitted again, it is there again.
    assert rows.done(rows.ask_text(tenant, "note-cleanup"))["status"] == "done"


def test_a_request_at_which_another_job_is_is_left_alone() -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    running = {"status": "running", "lease_until": soon, "fence": 7, "attempts": 1}
    collection(AiRequest).update_one({"_id": row["_id"]}, {"$set": running})
    with pytest.raises(LeaseLost):
        ai.run(row["_id"])
    collection(AiRequest).update_one(
        {"_id": row["_id"]}, {"$set": {"lease_until": datetime.now(UTC) - timedelta(seconds=1)}}
    )
    assert rows.done(row)["fence"] == 8


def test_requests_are_listed_newest_first_and_page_by_page() -> None:
    tenant, _ = rows.new_user()
    asked = [rows.ask_text(tenant, text=f"{rows.LETTER} {n}")["_id"] for n in range(5)]
    rows.done({"_id": asked[0]})
    first = ai.listed(tenant, limit=3)
    rest = ai.listed(tenant, before=(first[-1]["created_at"], first[-1]["_id"]))
    found = [(row["created_at"], row["_id"]) for row in first + rest]
    assert found == sorted(found, reverse=True)
    assert {request_id for _, request_id in found} == set(asked)
    assert [row["_id"] for row in ai.listed(tenant, statuses=["done"])] == [asked[0]]
    assert ai.listed(tenant, types=["translate"]) == []
    with pytest.raises(Refused, match="no status 'ready'"):
        ai.listed(tenant, statuses=["ready"])


def test_what_was_used_is_told_per_day_of_utc() -> None:
    tenant, _ = rows.new_user()
    rows.done(rows.ask_text(tenant))
    today = datetime.now(UTC).date()
    [use] = ai.usage(tenant, today)
    assert (use.type, use.provider, use.calls, use.unanswered) == (
        "generate-summary",
        "local",
        1,
        0,
    )
    assert ai.usage(tenant, today - timedelta(days=1)) == []
