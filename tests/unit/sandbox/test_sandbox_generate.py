"""The sandbox's invented users: deterministic, lazy, and as odd as real data."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from discovery_shapes import WrongShape, check
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox.generate import MOST_MESSAGES, Seeded, Size, build_user, size_of

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
EMAIL = "ada.lovelace@users.example"
LARGE = Size(calendars=7, events=4000, messages=1200, contacts=1500, task_lists=4, tasks=600)


def build(size: Size, seed: int = 1, user: str = "ada", now: datetime = NOW) -> Iterator[Seeded]:
    return build_user(seed, user, EMAIL, size, now)


@pytest.fixture(scope="module")
def large() -> list[Seeded]:
    return list(build(LARGE))


sizes = st.builds(
    Size,
    calendars=st.integers(1, 14),
    events=st.integers(0, 120),
    messages=st.integers(0, 60),
    contacts=st.integers(0, 150),
    task_lists=st.integers(1, 12),
    tasks=st.integers(0, 60),
)

FINGERPRINT = """
import hashlib, json
from datetime import UTC, datetime
from pipeline.sandbox.generate import build_user, size_of
digest = hashlib.sha256()
for index in (2, 5):
    now = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    for one in build_user(7, f"user{index}", f"user{index}@users.example", size_of(1, index), now):
        digest.update(json.dumps([one.source, one.stream, one.item_id, one.item]).encode())
print(digest.hexdigest())
"""


def fingerprint_in_another_process(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", FINGERPRINT]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return run.stdout


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    assert fingerprint_in_another_process("1") == fingerprint_in_another_process("2")


def digest(seeded: Iterable[Seeded]) -> str:
    text = json.dumps([[one.stream, one.item_id, one.item] for one in seeded])
    return hashlib.sha256(text.encode()).hexdigest()


def test_seed_user_and_clock_each_make_a_difference() -> None:
    size = Size(2, 20, 20, 20, 2, 20)
    seen = {
        digest(build(size)),
        digest(build(size, seed=2)),
        digest(build(size, user="bob")),
        digest(build(size, now=NOW + timedelta(days=1))),
    }
    assert len(seen) == 4


def test_the_shared_random_generator_is_left_alone() -> None:
    before = random.getstate()
    list(build(Size(3, 50, 20, 20, 2, 20), seed=31))
    assert random.getstate() == before


@settings(max_examples=25, deadline=None)
@given(size=sizes, seed=st.integers(0, 3), user=st.text("abcé@ ", min_size=1, max_size=6))
def test_a_user_has_exactly_as_much_as_asked_for_and_every_id_is_unique(
    size: Size, seed: int, user: str
) -> None:
    seeded = list(build(size, seed, user))
    counts = Counter(one.stream.partition("/")[0] for one in seeded)
    assert [counts[name] for name in ("calendars", "events", "messages")] == [
        *(size.calendars, size.events, size.messages)
    ]
    assert [counts[name] for name in ("connections", "tasklists", "tasks")] == [
        *(size.contacts, size.task_lists, size.tasks)
    ]
    assert len({(one.source, one.stream, one.item_id) for one in seeded}) == len(seeded)
    assert all(one.item.get("id", one.item.get("resourceName")) == one.item_id for one in seeded)


@settings(max_examples=15, deadline=None)
@given(size=sizes, seed=st.integers(0, 3))
def test_what_an_item_belongs_to_comes_before_it(size: Size, seed: int) -> None:
    seen: set[str] = set()
    for one in build(size, seed):
        kind, _, container = one.stream.partition("/")
        needed = [container] if container else []
        needed += [one.item[key] for key in ("recurringEventId", "parent") if key in one.item]
        if kind == "messages" and one.item["threadId"] != one.item_id:
            needed.append(one.item["threadId"])
        assert seen.issuperset(needed)
        seen.add(one.item_id)


def test_every_item_has_the_shape_that_google_publishes(large: list[Seeded]) -> None:
    for one in large:
        check(one.stream, one.item)


@pytest.mark.parametrize(
    ("stream", "item"),
    [
        ("events/x", {"id": "abc", "titel": "a field that does not exist"}),
        ("events/x", {"start": {"date": "22.11.2026"}}),
        ("events/x", {"attendees": {"email": "not a list"}}),
        ("messages", {"internalDate": 1700000000000}),
        ("messages", {"payload": {"body": {"data": "not/base64url+"}}}),
        ("connections", {"metadata": {"sources": [{"type": "GUESS"}]}}),
        ("tasks/x", {"hidden": "true"}),
    ],
)
def test_the_shape_check_refuses_what_google_would_not_send(
    stream: str, item: dict[str, Any]
) -> None:
    with pytest.raises(WrongShape):
        check(stream, item)


def test_ids_look_like_those_of_google(large: list[Seeded]) -> None:
    patterns = {
        "events": r"[a-v0-9]{26}(_\d{8}(T\d{6}Z)?)?",
        "messages": r"[0-9a-f]{16}",
        "connections": r"people/c\d{19}",
        "tasklists": r"[A-Za-z0-9_-]{32}",
        "tasks": r"[A-Za-z0-9_-]{22}",
    }
    for one in large:
        pattern = patterns.get(one.stream.partition("/")[0], ".+")
        assert re.fullmatch(pattern, one.item_id), one.item_id


def test_a_huge_user_streams_in_constant_memory() -> None:
    stream = build(Size(1, 100_000, 0, 100_000, 0, 0))
    list(islice(stream, 500))
    tracemalloc.start()
    try:
        for _ in islice(stream, 6_000):
            pass
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000


def test_impossible_sizes_and_naive_clocks_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Size(1, -1, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="calendar"):
        Size(0, 1, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="task list"):
        Size(0, 0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="time zone"):
        list(build(Size(1, 1, 0, 0, 0, 0), now=datetime(2026, 1, 1)))


def test_a_population_is_mostly_ordinary_with_some_empty_and_some_big_users() -> None:
    population = [size_of(3, index) for index in range(2000)]
    empty = [size for size in population if size.events + size.messages + size.contacts <= 9]
    big = [size for size in population if size.events >= 2000]
    assert 140 < len(empty) < 260
    assert 60 < len(big) < 140
    assert all(size.messages <= MOST_MESSAGES for size in population)
    ordinary = [size for size in population if size not in empty and size not in big]
    assert all(1 <= size.calendars <= 6 and 30 <= size.events <= 400 for size in ordinary)
    assert all(40 <= size.messages <= 250 and 10 <= size.contacts <= 300 for size in ordinary)
    assert all(1 <= size.task_lists <= 5 and 5 <= size.tasks <= 120 for size in ordinary)
