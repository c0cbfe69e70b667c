"""Which changes of mail our own steps have made, so that they are no habits of its user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pipeline.mailbox.diffing import Change, Seen
from pipeline.stores import Row

#: What of a mail an event of a type tells about.
_FIELDS = {
    "moved": "folder_id",
    "deleted": "folder_id",
    "read": "is_read",
    "flagged": "is_flagged",
    "categorized": "categories",
}
#: A change that is so much later than a step is not that step's, by whichever clock.
_LATER = timedelta(minutes=2)


class StepKey(NamedTuple):
    """One step of one execution."""

    execution_id: str
    place: int


@dataclass(slots=True)
class Attributed:
    """Who made which change, by its type, and the steps that are not waited for any more."""

    by_rule: dict[str, str] = field(default_factory=dict)
    observed: list[StepKey] = field(default_factory=list)


class _Step(NamedTuple):
    key: StepKey
    rule_id: str
    state: str
    after: Row
    acted_at: datetime | None


def attribute(
    found: Sequence[Change], after: Seen, at: datetime, executions: Iterable[Row]
) -> Attributed:
    """Return which of the changes that led to `after` are those of the mail's executions.

    A change is a step's if it is what that step leads to.  A step that is done is observed as
    well once the mail is as it left it, or once the mail has been changed long after it:
    whatever comes then is somebody else's act.
    """
    result, now = Attributed(), _state(after)
    steps = list(_unobserved(executions))
    for change in found:
        name = _FIELDS[change.type]
        own = [s for s in steps if name in s.after and _agrees(s.after[name], now[name])]
        if own:
            result.by_rule[change.type] = own[-1].rule_id
            result.observed += [step.key for step in own]
    for step in steps:
        if step.key not in result.observed and step.state == "done" and _is_over(step, now, at):
            result.observed.append(step.key)
    return result


def attribute_end(deleted_folder: str | None, executions: Iterable[Row]) -> Attributed:
    """Return who made it that a mail is gone: a step, if that had put it into Deleted Items."""
    own = [
        step
        for step in _unobserved(executions)
        if deleted_folder and step.after.get("folder_id") == deleted_folder
    ]
    by_rule = {"deleted": own[-1].rule_id} if own else {}
    return Attributed(by_rule, [step.key for step in own])


def _unobserved(executions: Iterable[Row]) -> Iterator[_Step]:
    """Yield the steps that have been tried and whose change was not seen yet."""
    for row in executions:
        for index, step in enumerate(row.get("steps") or ()):
            tried = step.get("state") in ("doing", "done") and not step.get("observed")
            if tried and step.get("after"):
                yield _Step(
                    StepKey(str(row["_id"]), index),
                    str(row.get("rule_id") or row["_id"]),
                    step["state"],
                    step["after"],
                    step.get("acted_at"),
                )


def _is_over(step: _Step, now: Row, at: datetime) -> bool:
    told = {name: value for name, value in step.after.items() if name in now}
    if all(_agrees(value, now[name]) for name, value in told.items()):
        return True
    return step.acted_at is not None and step.acted_at + _LATER <= at


def _state(seen: Seen) -> Row:
    return seen.row()


def _agrees(wanted: Any, has: Any) -> bool:
    if isinstance(wanted, list):
        return sorted(map(str, wanted)) == sorted(map(str, has))
    return bool(wanted == has)
