"""The quality gate: whatever comes, it says yes or why not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import gate

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
EVENT = {
    "id": "abc",
    "start": {"dateTime": "2026-05-01T10:00:00+02:00"},
    "end": {"dateTime": "2026-05-01T11:00:00+02:00"},
}


@given(item=JSON)
def test_no_item_makes_the_gate_fail(item: object) -> None:
    for check in (gate.CALENDAR, gate.EVENT, gate.MESSAGE, gate.PERSON, gate.TASK, gate.TASK_LIST):
        rejected = check.check(item)
        assert rejected is None or json.loads(rejected.raw) == item


@given(extra=st.dictionaries(st.text(), JSON, max_size=3))
def test_unknown_fields_do_not_matter_unless_they_cannot_be_stored(
    extra: dict[str, object],
) -> None:
    rejected = gate.EVENT.check({**extra, **EVENT})
    assert rejected is None or "cannot be stored" in rejected.reason or set(extra) & FIELDS


FIELDS = set(gate.EventShape.model_fields)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "event: id - "),
        ({"start": None}, "event: item - Value error, start and end are required"),
        ({"end": {}}, "event: end - Value error, expected dateTime or date"),
        ({"status": "perhaps"}, "event: status - Input should be 'confirmed'"),
        ({"attendees": "everyone"}, "event: attendees - "),
        ({"sequence": 10**30}, "event: item - cannot be stored: OverflowError"),
    ],
)
def test_the_reason_names_the_field_and_what_is_expected(
    change: dict[str, object], reason: str
) -> None:
    rejected = gate.EVENT.check({**EVENT, **change})
    assert rejected is not None
    assert rejected.reason.startswith(reason)


def test_a_reason_holds_nothing_of_the_item() -> None:
    rejected = gate.EVENT.check({**EVENT, "status": "ada@example.com"})
    assert rejected is not None
    assert "ada@example.com" not in rejected.reason
