"""Values that are remembered for all who look."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import wait_until

from pipeline.web.remembered import Remembered


class Source:
    """Counts how often it was read; slow until `ready`, broken while `broken`."""

    def __init__(self) -> None:
        self.reads = 0
        self.ready = threading.Event()
        self.broken = False

    def __call__(self) -> int:
        self.ready.wait(10)
        self.reads += 1
        if self.broken:
            raise OSError("down")
        return self.reads


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.ready.set()


def test_of_many_who_ask_first_one_reads(source: Source) -> None:
    remembered = Remembered(source, 60)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(remembered.get) for _ in range(8)]
        source.ready.set()
        assert {one.result(10) for one in asked} == {1}


def test_nobody_waits_for_a_newer_value(source: Source) -> None:
    source.ready.set()
    remembered = Remembered(source, 0)
    assert remembered.get() == 1
    source.ready.clear()
    wait_until(lambda: remembered.get() == 1 and remembered._asking.locked(), "it is read anew")
    source.ready.set()
    wait_until(lambda: remembered.get() > 1, "the newer value is there")


def test_an_error_is_raised_once_and_then_it_is_asked_for_again(source: Source) -> None:
    source.ready.set()
    source.broken = True
    remembered = Remembered(source, 60)
    with pytest.raises(OSError, match="down"):
        remembered.get()
    source.broken = False
    assert remembered.get() == 2


def test_what_is_forgotten_is_read_anew(source: Source) -> None:
    source.ready.set()
    remembered = Remembered(source, 60)
    assert remembered.get() == 1
    remembered.forget()
    assert remembered.get() == 2
