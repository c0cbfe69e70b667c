"""What was done to a mail, step by step, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.jobs.redaction import masked
from pipeline.mailbox.reading.words import action_in_words
from pipeline.stores import Row

_KINDS = {"done": "ok", "undone": "ok", "failed": "bad", "partial": "warn", "doing": "info"}
_MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step: its state, how that is meant (`kind` as in the pages), and what it was."""

    state: str
    kind: str
    text: str


def steps_in_words(steps: Iterable[Row], folders: Mapping[str, str]) -> list[StepRow]:
    """Return the steps of an act, each with what it did."""
    return [_row(step, _act_of(step, folders)) for step in steps]


def undone_in_words(results: Iterable[Row], steps: Sequence[Row]) -> list[StepRow]:
    """Return what became of each step of an undo; `steps` are those that were undone."""
    return [_row(result, _undone(result, steps)) for result in results]


def undone_step(result: Row, steps: Sequence[Row]) -> str:
    """Return which action a result of an undo is about."""
    number = result.get("step")
    known = isinstance(number, int) and 0 <= number < len(steps)
    return _type_of(steps[number]) if known and number is not None else "step"


def scalars(details: Row) -> list[tuple[str, str]]:
    """Return the details that can be said in a word, with addresses masked."""
    return list(_scalars(details))


def _scalars(details: Row) -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if name.endswith("_id") or name == "kind":
            continue  # ids say nothing to people; the kind of an act, its name says
        if isinstance(value, bool):
            yield name.replace("_", " "), "yes" if value else "no"
        elif isinstance(value, str | int | float) and value != "":
            yield name.replace("_", " "), masked(str(value))[:_MOST_TEXT]


def _row(step: Row, text: str) -> StepRow:
    state = str(step.get("state") or "done")
    return StepRow(state, _KINDS.get(state, "idle"), text)


def _act_of(step: Row, folders: Mapping[str, str]) -> str:
    after, params = step.get("after") or {}, step.get("params") or {}
    action: Row = {**after, **params, "action_type": _type_of(step)}
    if "to_folder" not in action:
        action["to_folder"] = after.get("folder_id")
    if "categories" in action and not action.get("category"):
        action["category"] = ", ".join(action["categories"])
    return action_in_words(action, folders)


def _undone(result: Row, steps: Sequence[Row]) -> str:
    text = f"{undone_step(result, steps)} taken back".replace("_", " ")
    return f"{text}: {result['error']}" if result.get("error") else text


def _type_of(step: Row) -> str:
    return str(step.get("action_type") or step.get("action") or "step")
