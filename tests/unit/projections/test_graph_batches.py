"""Batches are as large as one transaction should be, and lose nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.graph import changes
from pipeline.projections.graph.changes import batches


def record(seq: int, **item: Any) -> dict[str, Any]:
    return {
        "source": "google_calendar",
        "stream": "events/c1",
        "item_id": f"ev{seq}",
        "item": item or None,
        "seq": seq,
    }


@given(st.lists(st.sampled_from([0, 10, 1000, 100_000]), max_size=60))
def test_batches_hold_every_record_in_order(lengths: list[int]) -> None:
    attendees = [[{"email": f"{n}@x.de"} for n in range(length // 100)] for length in lengths]
    records = [record(seq, attendees=guests) for seq, guests in enumerate(attendees, start=1)]

    made = list(batches(records))

    keys = [change.node.key for batch in made for change in batch.changes]
    assert keys == [f"c1/ev{seq}" for seq in range(1, len(records) + 1)]
    assert sum(batch.records for batch in made) == len(records)
    assert [batch.seq for batch in made] == sorted(batch.seq for batch in made)
    assert not made or made[-1].seq == len(records)
    assert all(batch.records == 1 or _size(batch) <= changes.BATCH_BYTES for batch in made)


def _size(batch: changes.Batch) -> int:
    return sum(changes._size(change) for change in batch.changes)


def test_a_batch_ends_after_500_records() -> None:
    made = list(batches(record(seq, summary="x") for seq in range(1, 1202)))
    assert [batch.records for batch in made] == [500, 500, 201]


def test_records_that_the_graph_does_not_show_count_and_move_on() -> None:
    unknown = {**record(7), "source": "unheard_of"}
    assert list(batches([unknown])) == [changes.Batch([], 1, 7)]


def test_a_tombstone_deletes_even_if_an_item_is_left() -> None:
    (batch,) = batches([{**record(1, summary="x"), "deleted_at": "2026-01-01"}])
    assert batch.changes[0].drawing is None
