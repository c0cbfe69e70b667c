"""What is done to a mail can be taken back from what was written before it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.mailbox.deeds import PATCH, deed_of, holds, inverse, state_of
from pipeline.mailbox.ledger import new_step, steps_of

NAMES = st.sampled_from(["Red", "red", "Blue", "Shop", "SHOP"])
ALL = {"folder_id": None, "is_read": None, "is_flagged": None, "categories": None}
mails = st.fixed_dictionaries(
    {
        "id": st.just("m"),
        "parentFolderId": st.sampled_from(["inbox", "kept"]),
        "isRead": st.booleans(),
        "flag": st.sampled_from(["flagged", "notFlagged", "complete"]).map(
            lambda status: {"flagStatus": status}
        ),
        "categories": st.lists(NAMES, unique_by=str.casefold, max_size=3),
    }
)
steps = st.one_of(
    st.just(new_step("move")),
    st.just(new_step("mark_read")),
    st.just(new_step("flag")),
    NAMES.map(lambda name: new_step("categorize", category=name)),
)


def carried_out(mail: dict[str, Any], step: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the mail as Microsoft would have it after the call."""
    deed = deed_of(step, mail, folder)
    changes = deed.body if deed.method == PATCH else {"parentFolderId": deed.body["destinationId"]}
    return mail | changes


@given(mails, steps)
def test_a_deed_leads_from_before_to_after_and_its_inverse_back(
    mail: dict[str, Any], step: dict[str, Any]
) -> None:
    deed = deed_of(step, mail, "kept")
    assert holds(mail, deed.before)
    done = carried_out(mail, step, "kept")
    assert holds(done, deed.after)
    if holds(mail, deed.after):
        return  # already so: nothing is done, and nothing undone
    audited = {"action": step["action_type"], "before": deed.before, "after": deed.after}
    back = inverse(audited)
    assert back is not None
    undone = carried_out(done, back | {"state": "pending"}, str(back["params"].get("to_folder")))
    assert state_of(undone, ALL) == state_of(mail, ALL)


@given(mails, NAMES, NAMES)
def test_undoing_a_category_leaves_what_others_added(
    mail: dict[str, Any], ours: str, theirs: str
) -> None:
    step = new_step("categorize", category=ours)
    deed = deed_of(step, mail)
    added = ours.casefold() not in {name.casefold() for name in mail["categories"]}
    back = inverse({"action": "categorize", "before": deed.before, "after": deed.after})
    now = carried_out(mail, step, "") | {"categories": [*deed.after["categories"], f"_{theirs}"]}
    assert back is not None
    left = carried_out(now, back, "")["categories"]
    assert f"_{theirs}" in left
    assert (ours in left) is (not added and ours in mail["categories"])


def test_a_flag_comes_back_as_it_was() -> None:
    mail = {"flag": {"flagStatus": "complete", "completedDateTime": {"dateTime": "x"}}}
    deed = deed_of(new_step("flag"), mail)
    back = inverse({"action": "flag", "before": deed.before, "after": deed.after})
    assert back is not None
    assert back["params"]["flag"] == mail["flag"]


def test_a_rules_steps_are_in_its_order_and_what_it_deletes_is_staged() -> None:
    actions = [
        {"action_type": "mark_read", "order": None},
        {"action_type": "delete", "order": 2},
        {"action_type": "move", "to_folder": "kept", "order": 1, "category": None},
    ]
    found = [(step["action_type"], step["params"]) for step in steps_of({"actions": actions})]
    assert found == [("move", {"to_folder": "kept"}), ("stage", {}), ("mark_read", {})]
    at_once = steps_of({"actions": actions, "skip_staging": True})
    assert [step["action_type"] for step in at_once] == ["move", "delete", "mark_read"]


def test_a_forward_or_a_popup_cannot_be_taken_back() -> None:
    assert inverse({"action": "forward"}) is None
    assert inverse({"action": "popup"}) is None
