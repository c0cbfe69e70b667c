"""The drawing of a plan: its steps as boxes, its ways as lines with their rules in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.outreach.reading.plans import STOP, NodeView
from pipeline.web.admin.outreach.layers import Layout, Spot, laid_out

CHANNELS = {"email": "e-mail", "sms": "SMS"}
_MARGIN = 12.0
_BOX, _STOP_BOX, _END = (232.0, 84.0), (232.0, 64.0), (64.0, 26.0)
#: Pixels of a letter of a rule, and of a line of rules.
_LETTER, _LINE = 6.5, 17.0
#: How far a way from a step to itself goes out beside it.
_LOOP = 34.0
#: Letters that a box has room for.
_MOST_NAME, _MOST_SUBJECT = 19, 30


@dataclass(frozen=True, slots=True)
class Box:
    """A step at its place, in words as they fit; without one it is where a way ends."""

    node: NodeView | None
    does: str
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


def drawn(nodes: Sequence[NodeView]) -> Drawing:
    """Return the drawing of a plan's nodes."""
    known = {node.id: node for node in sorted(nodes, key=lambda node: not node.is_start)}
    rules = _rules(known)
    boxes = {name: _room(node, rules.get((name, name))) for name, node in known.items()}
    ends = {end: _END for _, end in rules if end not in known}
    sizes = {way: _size_of(told) for way, told in rules.items()}
    layout = laid_out(boxes | ends, sizes, light=ends)
    return Drawing(
        [_box(known.get(name), spot) for name, spot in layout.boxes.items()],
        [_line(way, told, layout) for way, told in rules.items()],
        layout.width + 2 * _MARGIN,
        layout.height + 2 * _MARGIN,
    )


def carrier(node: NodeView) -> str:
    """Return what a step is, in a word: "e-mail", "SMS", "wait", "end"."""
    if node.action == "send":
        return CHANNELS.get(node.channel, node.channel)
    return "end" if node.action == STOP else node.action


def does(node: NodeView) -> str:
    """Return what a step does: "e-mail, after 2 d", "wait", "end"."""
    return f"{carrier(node)}, {node.when}" if node.when else carrier(node)


def _rules(known: Mapping[str, NodeView]) -> dict[tuple[str, str], list[str]]:
    """Return the rules between each two boxes; each step has an end of its own."""
    found: dict[tuple[str, str], list[str]] = {}
    for edge in (edge for node in known.values() for edge in node.edges):
        end = edge.to if edge.to in known else f"{edge.source} {STOP}"
        found.setdefault((edge.source, end), []).append(edge.rule)
    return found


def _size_of(rules: Sequence[str]) -> tuple[float, float]:
    return max(map(len, rules)) * _LETTER + 12, len(rules) * _LINE + 4


def _room(node: NodeView, again: Sequence[str] | None) -> tuple[float, float]:
    """Return the room of a step, beside which stands what leads from it to itself."""
    width, height = _STOP_BOX if node.action == STOP else _BOX
    return width + (2 * (_size_of(again)[0] + _LOOP) if again else 0.0), height


def _box(node: NodeView | None, spot: Spot) -> Box:
    width = _BOX[0] if node else _END[0]
    left, top = spot.x - width / 2 + _MARGIN, spot.y - spot.height / 2 + _MARGIN
    words = (
        (does(node), _clipped(node.id, _MOST_NAME), _clipped(node.subject, _MOST_SUBJECT))
        if node
        else ("end", "", "")
    )
    return Box(node, *words, round(left), round(top), width, spot.height)


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
