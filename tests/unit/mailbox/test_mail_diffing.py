"""However the changes of a mail are bundled and repeated, what is seen is what there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mail_items import ARCHIVE, DELETED, DRAFTS, FOLDERS, INBOX, PROJECTS, STAGING, mail_item

from pipeline.mailbox.attributing import attribute
from pipeline.mailbox.diffing import Change, Seen, SpecialFolders, changes, vanished
from pipeline.mailbox.folders import Folders
from pipeline.mailbox.matching import Mail

SPECIAL = SpecialFolders.of(Folders(FOLDERS), STAGING)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def seen(**fields: Any) -> Seen:
    return Seen.of(Mail.of(mail_item(**fields)))


class AMailbox(RuleBasedStateMachine):
    """One mail: its user acts at will, the observer looks now and then, sometimes twice."""

    def __init__(self) -> None:
        super().__init__()
        self.item: dict[str, Any] | None = mail_item()
        self.seen: Seen | None = seen()
        self.told: list[Change] = []
        self.folders_between: list[str] = [INBOX]

    @precondition(lambda self: self.item is not None)
    @rule(folder=st.sampled_from([INBOX, ARCHIVE, PROJECTS, DELETED, STAGING]))
    def move(self, folder: str) -> None:
        assert self.item is not None
        self.item["parentFolderId"] = folder
        self.folders_between.append(folder)

    @precondition(lambda self: self.item is not None)
    @rule(is_read=st.booleans(), flag=st.sampled_from(["flagged", "notFlagged", "complete"]))
    def mark(self, is_read: bool, flag: str) -> None:
        assert self.item is not None
        self.item |= {"isRead": is_read, "flag": {"flagStatus": flag}}

    @precondition(lambda self: self.item is not None)
    @rule(categories=st.lists(st.sampled_from(["Red", "Blue"]), unique=True))
    def categorize(self, categories: list[str]) -> None:
        assert self.item is not None
        self.item["categories"] = categories

    @rule()
    def purge(self) -> None:
        self.item = None

    @rule(times=st.integers(1, 3))
    def look(self, times: int) -> None:
        """The same state may be delivered again: it tells nothing new."""
        for turn in range(times):
            found = self._look()
            assert turn == 0 or found == []
            self.told = found if turn == 0 else self.told
        self.folders_between = [self.item["parentFolderId"]] if self.item else []

    def _look(self) -> list[Change]:
        before = self.seen
        if before is None:
            return []
        if self.item is None:
            self.seen = None
            found = vanished(before, SPECIAL)
            assert [c.type for c in found] == ["deleted"] * (before.folder_id != DELETED)
            return found
        self.seen = Seen.of(Mail.of(self.item))
        found = changes(before, self.seen, SPECIAL)
        types = [change.type for change in found]
        assert ("deleted" in types) == (
            self.seen.folder_id == DELETED and before.folder_id != DELETED
        )
        assert ("moved" in types) == (self.seen.folder_id not in (DELETED, before.folder_id))
        assert all(c.to_folder in self.folders_between for c in found if c.to_folder)
        return found

    @invariant()
    def nothing_is_told_twice(self) -> None:
        types = [change.type for change in self.told]
        assert len(types) == len(set(types))

    def teardown(self) -> None:
        self._look()
        assert self.seen == (Seen.of(Mail.of(self.item)) if self.item else None)


AMailbox.TestCase.settings = hypothesis_settings(max_examples=40, deadline=None)
test_a_mailbox = AMailbox.TestCase


def test_what_is_written_oneself_gives_no_events() -> None:
    draft = seen(parentFolderId=DRAFTS)
    assert changes(draft, seen(parentFolderId="f-sent", isRead=True), SPECIAL) == []
    assert changes(draft, seen(), SPECIAL) == []
    assert vanished(draft, SPECIAL) == []
    assert STAGING in SPECIAL.unruled
    assert STAGING not in SPECIAL.silent


def execution(after: dict[str, Any], **step: Any) -> dict[str, Any]:
    step = {"state": "done", "after": after, "acted_at": NOW} | step
    return {"_id": "rule:r:m", "rule_id": "r", "steps": [step]}


def test_a_change_that_a_step_leads_to_is_that_rules() -> None:
    before, after = seen(), seen(parentFolderId=ARCHIVE, isRead=True, categories=["B", "A"])
    found = changes(before, after, SPECIAL)
    did = execution({"folder_id": ARCHIVE}, state="doing")
    did["steps"].append({"state": "done", "after": {"categories": ["A", "B"]}, "acted_at": NOW})
    made = attribute(found, after, NOW, [did])
    assert made.by_rule == {"moved": "r", "categorized": "r"}  # it was read by somebody
    assert made.observed == [("rule:r:m", 0), ("rule:r:m", 1)]


@pytest.mark.parametrize(
    "step",
    [{"state": "pending"}, {"observed": True}, {"after": {"folder_id": PROJECTS}}, {"after": {}}],
)
def test_any_other_change_is_the_users(step: dict[str, Any]) -> None:
    after = seen(parentFolderId=ARCHIVE)
    found = changes(seen(), after, SPECIAL)
    made = attribute(found, after, NOW, [execution(**{"after": {"folder_id": ARCHIVE}} | step)])
    assert made.by_rule == {}
    assert made.observed == []


def test_a_step_that_came_to_nothing_is_not_waited_for() -> None:
    """Staged and rescued between two looks: nothing changed, and later moves are the user's."""
    there = execution({"folder_id": STAGING}, acted_at=NOW - timedelta(hours=1))
    back = execution({"folder_id": INBOX})
    back["_id"] = "staged:s:rescue"
    made = attribute([], seen(), NOW, [there, back])
    assert made.by_rule == {}
    assert set(made.observed) == {("rule:r:m", 0), ("staged:s:rescue", 0)}
    recent = execution({"folder_id": STAGING})
    assert attribute([], seen(), NOW, [recent]).observed == []
