"""Requests that come together are worked on together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from pipeline.web.webhooks.batcher import Batcher, Overloaded


def test_each_gets_the_result_of_its_own_item() -> None:
    sizes: list[int] = []

    def double(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * item for item in items]

    async def run() -> list[int]:
        batcher = Batcher(double)
        return list(await asyncio.gather(*(batcher.submit(n) for n in range(1000))))

    assert asyncio.run(run()) == [2 * n for n in range(1000)]
    assert len(sizes) < 20


def test_what_the_work_raises_all_of_its_batch_raise_and_the_next_one_is_served() -> None:
    def refuse_the_first(items: Sequence[str]) -> Sequence[str]:
        if "bad" in items:
            raise ValueError("bad")
        return items

    async def run() -> None:
        batcher = Batcher(refuse_the_first)
        failed = await asyncio.gather(
            batcher.submit("bad"), batcher.submit("good"), return_exceptions=True
        )
        assert [type(error) for error in failed] == [ValueError, ValueError]
        assert await batcher.submit("good") == "good"

    asyncio.run(run())


def test_more_than_can_be_answered_in_time_is_refused_at_once() -> None:
    release = threading.Event()

    def wait(items: Sequence[int]) -> Sequence[int]:
        release.wait(10)
        return items

    async def run() -> None:
        batcher = Batcher(wait, most_waiting=3)
        tasks = [asyncio.ensure_future(batcher.submit(n)) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit(3)
        release.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]

    asyncio.run(run())


def test_who_has_gone_away_keeps_nobody_else_from_an_answer() -> None:
    async def run() -> None:
        batcher: Batcher[int, int] = Batcher(lambda items: list(items))
        gone, stays = (asyncio.ensure_future(batcher.submit(n)) for n in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == 1

    asyncio.run(run())


def test_draining_waits_for_everything_that_was_submitted() -> None:
    done: list[int] = []

    def keep(items: Sequence[int]) -> Sequence[int]:
        done.extend(items)
        return items

    async def run() -> None:
        batcher = Batcher(keep)
        tasks = [asyncio.ensure_future(batcher.submit(n)) for n in range(600)]
        await asyncio.sleep(0)
        await batcher.drain()
        assert len(done) == 600
        await asyncio.gather(*tasks)

    asyncio.run(run())
