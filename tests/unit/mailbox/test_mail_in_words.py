"""What pages, the API and the command line say of rules, acts and people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.reading.steps import scalars, steps_in_words, undone_in_words
from pipeline.mailbox.reading.words import actions_in_words, conditions_in_words
from pipeline.masking import masked_address
from pipeline.places import Place, page_of
from pipeline.web.admin.mailboxes.rule_acts import reordered
from pipeline.web.pages import Conflict

FOLDERS = {"f1": "Invoices / Energy"}
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(st.text(min_size=2).filter(lambda name: "@" not in name))
def test_of_a_masked_address_one_letter_and_the_domain_are_left(name: str) -> None:
    assert masked_address(f"{name}@shop.example") == f"{name[0]}…@shop.example"


def test_what_is_no_address_is_hidden_and_nothing_stays_nothing() -> None:
    assert masked_address("Ada Lovelace") == "…"
    assert masked_address(None) == masked_address("") == ""


def test_conditions_and_actions_are_said_with_folders_by_name() -> None:
    conditions = {
        "sender_email": ["ada@a.example", "bob@b.example"],
        "subject_contains": "invoice",
        "from_folder": "gone",
    }
    assert conditions_in_words(conditions, FOLDERS) == [
        "from a…@a.example or b…@b.example",
        "with “invoice” in its subject",
        "that arrives in a folder that is gone",
    ]
    assert "ada@a.example" in conditions_in_words(conditions, FOLDERS, reveal=True)[0]
    actions = [
        {"action_type": "mark_read", "order": 1},
        {"action_type": "move", "to_folder": "f1", "order": 0},
        {"action_type": "forward", "forward_to": ["ada@a.example"], "order": 2},
    ]
    assert actions_in_words(actions, FOLDERS) == [
        "move to Invoices / Energy",
        "mark as read",
        "forward to a…@a.example",
    ]


def test_steps_and_their_undo_are_said_with_what_went_wrong() -> None:
    steps = [
        {"action": "move", "state": "done", "after": {"folder_id": "f1"}},
        {"action": "categorize", "state": "failed", "after": {"categories": ["Red", "Blue"]}},
    ]
    told = [(one.state, one.kind, one.text) for one in steps_in_words(steps, FOLDERS)]
    assert told == [
        ("done", "ok", "move to Invoices / Energy"),
        ("failed", "bad", "give it the category Red, Blue"),
    ]
    results = [{"step": 0, "state": "failed", "error": "the mail is gone"}, {"step": 7}]
    assert [one.text for one in undone_in_words(results, steps)] == [
        "move taken back: the mail is gone",
        "step taken back",
    ]
    details = {"rule_id": "x", "kind": "rule", "count": 3, "ok": True, "by": "ada@a.example"}
    assert scalars(details) == [("count", "3"), ("ok", "yes"), ("by", "a…@…")]


@given(MOMENTS, st.binary(min_size=12, max_size=12))
def test_a_place_is_read_as_it_was_written(at: datetime, name: bytes) -> None:
    place = Place(at, ObjectId(name))
    assert Place.parsed(str(place)) == place


@given(st.text())
def test_any_other_text_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        Place.parsed(text)


def test_a_page_names_the_next_one_only_if_there_is_more() -> None:
    rows = [{"_id": ObjectId(), "at": datetime(2026, 1, day, tzinfo=UTC)} for day in (3, 2, 1)]
    shown, after = page_of(rows, 2, "at")
    assert shown == rows[:2]
    assert after == str(Place.of(rows[1], "at"))
    assert page_of(rows, 3, "at") == (rows, "")


def test_a_rule_is_moved_by_one_and_not_beyond_the_ends() -> None:
    assert reordered(["a", "b", "c"], "b", "up") == ["b", "a", "c"]
    assert reordered(["a", "b", "c"], "b", "down") == ["a", "c", "b"]
    for rule_id, to in (("a", "up"), ("c", "down"), ("b", "sideways"), ("x", "up")):
        with pytest.raises(Conflict):
            reordered(["a", "b", "c"], rule_id, to)
