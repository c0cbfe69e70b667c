"""A writer that was overtaken can change nothing, wherever it was stopped."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.clients.graph import Run
from pipeline.errors import LeaseLost
from pipeline.projections.graph.changes import change_of
from pipeline.projections.graph.write import apply, erase, fenced
from pipeline.projections.graph_snapshot import actual

CREATE = "MERGE (n:Thread {user_id: $user_id, key: $key})"


def keys(user: str) -> set[str]:
    return {node.key for node in actual(user).nodes}


def test_a_lower_fence_changes_nothing(user: str) -> None:
    fenced(user, 7, lambda run: run(CREATE, key="new"))
    with pytest.raises(LeaseLost):
        fenced(user, 6, lambda run: run(CREATE, key="old"))
    assert keys(user) == {"new"}


def test_the_same_fence_and_a_higher_one_go_on(user: str) -> None:
    for fence in (7, 7, 8):
        fenced(user, fence, lambda run, fence=fence: run(CREATE, key=f"t{fence}"))  # type: ignore[misc]
    assert keys(user) == {"t7", "t8"}


def test_a_writer_that_is_overtaken_in_the_middle_of_a_transaction_changes_nothing(
    user: str,
) -> None:
    stopped, go_on = threading.Event(), threading.Event()
    for _ in range(2):  # so that the stalled one finds its own fence and changes nothing of it
        fenced(user, 7, lambda run: run(CREATE, key="before"))

    def slow(run: Run) -> None:
        run(CREATE, key="old")
        stopped.set()
        go_on.wait(timeout=30)
        run(CREATE, key="old too")

    with ThreadPoolExecutor(2) as pool:
        stalled = pool.submit(fenced, user, 7, slow)
        assert stopped.wait(timeout=30)
        overtaking = pool.submit(fenced, user, 8, lambda run: run(CREATE, key="new"))
        # A server with locks lets it through only now, one with versions did before.
        threading.Timer(0.5, go_on.set).start()
        overtaking.result()
        try:
            stalled.result()
        except LeaseLost:
            assert keys(user) == {"before", "new"}
        else:
            assert keys(user) == {"before", "old", "old too", "new"}  # it was first, by its lock
    with pytest.raises(LeaseLost):
        fenced(user, 7, lambda run: run(CREATE, key="late"))


def test_neither_changes_nor_erasing_pass_a_higher_fence(user: str) -> None:
    change = change_of("google_gmail", "messages", "m1", {"threadId": "t1"})
    assert change is not None
    apply(user, 7, [change])
    with pytest.raises(LeaseLost):
        apply(user, 6, [change._replace(drawing=None)])
    with pytest.raises(LeaseLost):
        erase(user, 6, between=lambda: None)
    assert keys(user) == {"m1", "t1"}


def test_users_do_not_fence_each_other(user: str) -> None:
    fenced(user, 7, lambda run: run(CREATE, key="a"))
    fenced(f"{user}-2", 1, lambda run: run(CREATE, key="b"))
    assert keys(f"{user}-2") == {"b"}
