"""The drawing of a plan: its steps as boxes, its ways as lines with their rules in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pipeline.outreach.reading.words import rule_in_words
from pipeline.web.admin.outreach import plan_words
from pipeline.web.admin.outreach.layers import Layout, Spot, laid_out

#: Where a way ends that ends the campaign for a contact.
STOP = "stop"
_MARGIN = 12.0
_BOX, _STOP_BOX, _END = (232.0, 84.0), (232.0, 64.0), (64.0, 26.0)
#: Pixels of a letter of a rule, and of a line of rules.
_LETTER, _LINE = 6.5, 17.0
#: How far a way from a step to itself goes out beside it.
_LOOP = 34.0
#: Letters that a box has room for.
_MOST_NAME, _MOST_SUBJECT = 19, 32


@dataclass(frozen=True, slots=True)
class Step:
    """A step in words; `ways` are rules, and where each leads."""

    id: str
    action: str
    does: str
    carrier: str
    subject: str
    ways: Sequence[tuple[str, str]]
    is_first: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A step at its place; without one it is where a way ends.  `name`, `subject`: as they fit."""

    step: Step | None
    name: str
    subject: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A way: `path` as SVG has it, and its rules with the place of each."""

    start: str
    end: str
    path: str
    rules: Sequence[tuple[str, float]]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plan, drawn."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: float
    height: float


def steps(plan: Mapping[str, Any]) -> list[Step]:
    """Return the steps of a plan, as it is stored, in its order."""
    timers = (plan.get("defaults") or {}).get("timers") or {}
    return [
        Step(
            node["id"],
            node["action"],
            plan_words.does(node),
            plan_words.carrier(node),
            node.get("subject") or "",
            [(rule_in_words(one, timers), one["to"]) for one in node.get("transitions") or ()],
            node["id"] == plan["startNodeId"],
        )
        for node in plan["nodes"]
    ]


def drawn(all_steps: Sequence[Step]) -> Drawing:
    """Return the drawing of a plan's steps."""
    known = {step.id: step for step in sorted(all_steps, key=lambda step: not step.is_first)}
    rules = _rules(known)
    boxes = {name: _room(step, rules.get((name, name))) for name, step in known.items()}
    ends = {end: _END for _, end in rules if end not in known}
    sizes = {way: _size_of(told) for way, told in rules.items()}
    layout = laid_out(boxes | ends, sizes, light=ends)
    return Drawing(
        [_box(known.get(name), spot) for name, spot in layout.boxes.items()],
        [_line(way, told, layout) for way, told in rules.items()],
        layout.width + 2 * _MARGIN,
        layout.height + 2 * _MARGIN,
    )


def _rules(known: Mapping[str, Step]) -> dict[tuple[str, str], list[str]]:
    """Return the rules between each two boxes; each step has an end of its own."""
    found: dict[tuple[str, str], list[str]] = {}
    for step in known.values():
        for rule, to in step.ways:
            end = to if to in known else f"{step.id} {STOP}"
            found.setdefault((step.id, end), []).append(rule)
    return found


def _size_of(rules: Sequence[str]) -> tuple[float, float]:
    return max(map(len, rules)) * _LETTER + 12, len(rules) * _LINE + 4


def _room(step: Step, again: Sequence[str] | None) -> tuple[float, float]:
    """Return the room of a step, beside which stands what leads from it to itself."""
    width, height = _STOP_BOX if step.action == STOP else _BOX
    return width + (2 * (_size_of(again)[0] + _LOOP) if again else 0.0), height


def _box(step: Step | None, spot: Spot) -> Box:
    width = _BOX[0] if step else _END[0]
    left, top = spot.x - width / 2 + _MARGIN, spot.y - spot.height / 2 + _MARGIN
    name = _clipped(step.id, _MOST_NAME) if step else ""
    subject = _clipped(step.subject, _MOST_SUBJECT) if step else ""
    return Box(step, name, subject, round(left), round(top), width, spot.height)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _line(way: tuple[str, str], rules: Sequence[str], layout: Layout) -> Line:
    start, end = (layout.boxes[name] for name in way)
    width, height = _size_of(rules)
    if start is end:
        x, y = start.x + (_BOX[0] + width) / 2 + _LOOP, start.y
        path = _loop(start)
    else:
        middle = layout.words[way]
        x, y = middle.x, middle.y
        path = _curve(start, layout.bends[way], end)
    x, y = round(x + _MARGIN), round(y + _MARGIN)
    first = y - height / 2 + 2 + _LINE * 0.72
    told = [(rule, round(first + n * _LINE, 1)) for n, rule in enumerate(rules)]
    return Line(*way, path, told, x, y, width, height)


def _curve(start: Spot, bends: Sequence[Spot], end: Spot) -> str:
    """Return a line from box to box, that is upright at each of its bends."""
    side = 1 if end.y > start.y else -1
    points = [
        (start.x, start.y + side * start.height / 2),
        *((bend.x, bend.y) for bend in bends),
        (end.x, end.y - side * (end.height / 2 + 2)),
    ]
    path = f"M{points[0][0] + _MARGIN:.0f} {points[0][1] + _MARGIN:.0f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (y + to_y) / 2 + _MARGIN
        path += f"C{x + _MARGIN:.0f} {half:.0f} {to_x + _MARGIN:.0f} {half:.0f}"
        path += f" {to_x + _MARGIN:.0f} {to_y + _MARGIN:.0f}"
    return path


def _loop(spot: Spot) -> str:
    """Return a line from the right side of a box back to it."""
    right, y = spot.x + _BOX[0] / 2 + _MARGIN, spot.y + _MARGIN
    return f"M{right:.0f} {y - 14:.0f}C{right + 36:.0f} {y - 26:.0f} {right + 36:.0f} " + (
        f"{y + 26:.0f} {right + 2:.0f} {y + 14:.0f}"
    )
