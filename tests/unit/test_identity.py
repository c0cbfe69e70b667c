"""Job ids, lanes and what a message may carry."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import Permanent
from pipeline.jobs import identity
from pipeline.queues import EMAIL, JOBS, Job

SYNC = Job("sync", EMAIL, ("user_id", "source"), id="sync:{source}:{user_id}")
#: Ids that were chosen to be taken for others: with separators, escapes, braces, nothing.
ids = st.text() | st.text(alphabet=":%3A25{}sync", max_size=8)


def _id(job: Job, *args: Any) -> str:
    return identity.job_id(job, identity.named(job, args))


def test_the_id_of_a_job_reads_as_its_pattern_says() -> None:
    assert _id(SYNC, "alice", "google_gmail") == "sync:google_gmail:alice"


def test_a_job_without_a_pattern_is_known_by_its_name_and_all_its_arguments() -> None:
    assert _id(Job("mail", EMAIL, ("user_id", "template")), "alice", "welcome") == (
        "mail:alice:welcome"
    )
    assert _id(Job("sweep", EMAIL)) == "sweep"


@given(st.tuples(ids, ids), st.tuples(ids, ids))
@example(("a:b", "c"), ("a", "b:c"))
@example(("a%3Ab", "c"), ("a:b", "c"))
@example(("a%", "3Ab"), ("a", "%3Ab"))
@example(("", "a:"), ("a:", ""))
def test_other_arguments_never_have_the_same_id(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (_id(SYNC, *one) == _id(SYNC, *other)) == (one == other)


@given(st.tuples(ids, ids), st.lists(ids, max_size=3))
def test_other_jobs_never_have_the_same_id(one: tuple[str, str], other: list[str]) -> None:
    names = tuple(f"part{n}_id" for n in range(len(other)))
    assert _id(SYNC, *one) != _id(Job("sync_later", EMAIL, names), *other)


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_every_job_of_the_table_is_known_by_all_its_arguments(job: Job) -> None:
    # Who asks does not make it other work; a user's source has one mailbox, an action one sender.
    implied = {"by"} | ({"mailbox_id"} if "source" in job.arguments else set())
    implied |= {"sender_id"} if "action_id" in job.arguments else set()
    assert set(re.findall(r"\{(\w+)\}", job.id_pattern)) == set(job.arguments) - implied
    assert job.id_pattern.split(":")[0] == job.name


def test_a_lane_names_the_scopes_of_a_job_tenant_first() -> None:
    arguments = {
        "source": "google_gmail",
        "letter": "welcome",
        "user_id": "alice",
        "mailbox_id": "m:1",
        "connection_id": 7,
        "sender_id": "s",
    }
    assert identity.lane("acme", arguments).split("\n") == [
        "tenant:acme",
        "user:alice",
        "source:google_gmail",
        "mailbox:m:1",
        "connection:7",
        "sender:s",
    ]
    assert identity.lane("", {"letter": "welcome"}) == ""


@given(st.text(), st.text())
def test_no_tenant_or_user_can_be_taken_for_another_scope(tenant_id: str, user_id: str) -> None:
    job = Job("mail", EMAIL, ("user_id",))
    try:
        identity.check_text("the tenant id", tenant_id)
        identity.encoded(job, {"user_id": user_id})
    except Permanent:
        return
    lines = identity.lane(tenant_id, {"user_id": user_id}).split("\n")
    assert lines == [*([f"tenant:{tenant_id}"] if tenant_id else []), f"user:{user_id}"]


@given(st.text(st.characters()))
def test_text_that_separates_things_or_cannot_be_written_is_refused(text: str) -> None:
    bad = any(
        unicodedata.category(character) == "Cs" or ord(character) < 32 or ord(character) == 127
        for character in text
    )
    if bad:
        with pytest.raises(Permanent, match="the job id holds control characters"):
            identity.check_text("the job id", text)
    else:
        identity.check_text("the job id", text)
        text.encode()  # it can be written


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.lists(scalars, min_size=2, max_size=2))
def test_what_a_message_carries_arrives_as_it_was_sent(args: list[Any]) -> None:
    job = Job("mail", EMAIL, ("user_id", "number"))
    try:
        text = identity.encoded(job, identity.named(job, args))
    except Permanent:
        return
    assert json.loads(text.encode()) == args


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, b"alice", ("a",), [1], {"a": 1}, object(), 1j]
)
def test_what_is_no_small_scalar_is_refused(value: Any) -> None:
    with pytest.raises(Permanent, match="user_id of job mail is a"):
        identity.encoded(Job("mail", EMAIL, ("user_id",)), {"user_id": value})


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", '"'])
def test_a_message_of_more_than_64_kib_is_refused_by_its_bytes(character: str) -> None:
    job = Job("mail", EMAIL, ("user_id",))
    size = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    fits = character * ((identity.MOST_MESSAGE_BYTES - 4) // size)
    assert identity.encoded(job, {"user_id": fits})
    with pytest.raises(Permanent, match="bytes, more than 65536"):
        identity.encoded(job, {"user_id": fits + 4 * character})


@pytest.mark.parametrize("args", [(), ("alice",), ("alice", "google_gmail", "now")])
def test_too_few_or_too_many_arguments_are_refused_by_name(args: tuple[str, ...]) -> None:
    with pytest.raises(Permanent, match=rf"takes 2 arguments \(user_id, source\), not {len(args)}"):
        identity.named(SYNC, args)


@pytest.mark.parametrize(
    ("args", "by_name"),
    [
        (("alice", "google_gmail"), {}),
        (("alice",), {"source": "google_gmail"}),
        ((), {"source": "google_gmail", "user_id": "alice"}),
    ],
)
def test_arguments_may_be_given_by_name_in_any_order(
    args: tuple[str, ...], by_name: dict[str, str]
) -> None:
    assert identity.in_order(SYNC, args, by_name) == ("alice", "google_gmail")


@pytest.mark.parametrize("by_name", [{"user": "alice"}, {"user_id": "alice"}, {"source": "x"}])
def test_a_name_that_a_job_does_not_take_or_misses_is_refused(by_name: dict[str, str]) -> None:
    with pytest.raises(Permanent, match=re.escape("job sync takes (user_id, source)")):
        identity.in_order(SYNC, (), by_name)
