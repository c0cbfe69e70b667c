"""Where the boxes of a graph stand and how its lines run: layers from top to bottom.

The method is Sugiyama's: boxes are put into layers by the longest way to them, long lines get a
bend in each layer between, bends and boxes are put in the order that crosses least (barycenters),
then each is moved towards its neighbours.  Words on a line are a bend that is as wide as they are,
so they stand on nothing else.  Of libraries, grandalf has seen no release for years, fast-sugiyama
comes as a binary for few platforms and knows no words on lines, and elkjs and dagre would draw
nothing before scripts run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import inf

#: Pixels between two boxes, and between two layers.
_GAP, _BETWEEN = 28.0, 26.0
_SWEEPS, _MOVES = 12, 24
Size = tuple[float, float]


@dataclass(slots=True)
class Spot:
    """A box, or a bend of a line: its middle, its size, and what it is joined to.

    One that is `light` stands where there is room beside the others.
    """

    width: float
    height: float
    light: bool = False
    x: float = 0.0
    y: float = 0.0
    above: list[Spot] = field(default_factory=list)
    below: list[Spot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes by name; the bends of each line from its beginning to its end; the size of all.

    The first bend of a line (`words`) is where its words stand.
    """

    boxes: Mapping[str, Spot]
    bends: Mapping[tuple[str, str], Sequence[Spot]]
    words: Mapping[tuple[str, str], Spot]
    width: float
    height: float


def laid_out(
    boxes: Mapping[str, Size], lines: Mapping[tuple[str, str], Size], light: Collection[str] = ()
) -> Layout:
    """Return where `boxes` stand that `lines` join; each has a size, a line that of its words.

    The first box is where all ways begin.  A line from a box to itself is not laid out.
    Those that are `light` do not push others aside.
    """
    spots = {name: Spot(*size, light=name in light) for name, size in boxes.items()}
    ways = {pair: size for pair, size in lines.items() if pair[0] != pair[1]}
    back = _backward(spots, ways)
    layer = _layers(spots, [(b, a) if (a, b) in back else (a, b) for a, b in ways])
    rows: list[list[Spot]] = [[] for _ in range(2 * max(layer.values(), default=0) + 1)]
    for name, spot in spots.items():
        rows[2 * layer[name]].append(spot)
    bends, words = {}, {}
    for (start, end), size in ways.items():
        top, low = (end, start) if (start, end) in back else (start, end)
        length, is_light = 2 * (layer[low] - layer[top]) - 1, spots[low].light
        chain = [Spot(*(size if n == 0 else (0.0, 0.0)), is_light) for n in range(length)]
        for row, bend in enumerate(chain, 2 * layer[top] + 1):
            rows[row].append(bend)
        _join([spots[top], *chain, spots[low]])
        words[start, end] = chain[0]
        bends[start, end] = chain if top == start else chain[::-1]
    _order(rows)
    return _placed(rows, spots, bends, words)


def _backward(spots: Mapping[str, Spot], ways: Mapping[tuple[str, str], Size]) -> set[object]:
    """Return the lines that lead back to where one came from; without them nothing goes round."""
    after: dict[str, list[str]] = {name: [] for name in spots}
    for start, end in ways:
        after[start].append(end)
    back: set[object] = set()
    done: set[str] = set()
    for first in spots:
        trail, open_ways = {first: None}, [(first, iter(after[first]))]
        while open_ways and first not in done:
            name, left = open_ways[-1]
            step = next(left, None)
            if step is None:
                open_ways.pop()
                trail.pop(name)
                done.add(name)
            elif step in trail:
                back.add((name, step))
            elif step not in done:
                trail[step] = None
                open_ways.append((step, iter(after[step])))
    return back


def _layers(spots: Mapping[str, Spot], ways: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the longest way to each box; `ways` go nowhere round."""
    layer = dict.fromkeys(spots, 0)
    for _ in spots:
        for start, end in ways:
            layer[end] = max(layer[end], layer[start] + 1)
    return layer


def _join(chain: Sequence[Spot]) -> None:
    for upper, lower in pairwise(chain):
        upper.below.append(lower)
        lower.above.append(upper)


def _order(rows: list[list[Spot]]) -> None:
    """Put each row in the order in which lines cross least."""
    best, kept = -1, [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        for row in rows:
            for number, spot in enumerate(row):
                spot.x = number
        crossed = sum(_crossings(row) for row in rows)
        if best < 0 or crossed < best:
            best, kept = crossed, [list(row) for row in rows]
        downwards = sweep % 2 == 0
        for row in rows if downwards else rows[::-1]:
            row.sort(key=lambda spot: _middle(spot.above if downwards else spot.below, spot.x))
            for number, spot in enumerate(row):
                spot.x = number
    rows[:] = kept


def _middle(near: Sequence[Spot], otherwise: float) -> float:
    return sum(spot.x for spot in near) / len(near) if near else otherwise


def _crossings(row: Sequence[Spot]) -> int:
    ends = [lower.x for spot in row for lower in sorted(spot.below, key=lambda one: one.x)]
    return sum(left > right for n, left in enumerate(ends) for right in ends[n + 1 :])


def _placed(
    rows: list[list[Spot]],
    spots: Mapping[str, Spot],
    bends: Mapping[tuple[str, str], Sequence[Spot]],
    words: Mapping[tuple[str, str], Spot],
) -> Layout:
    for row in rows:
        _spread(row, [0.0] * len(row))
    for move in range(_MOVES):
        downwards = move % 2 == 0
        for row in rows if downwards else rows[::-1]:
            near = [_heavy((s.above if downwards else s.below) or [s]) for s in row]
            _spread(row, [_middle(one, 0.0) for one in near])
    left = min((spot.x - spot.width / 2 for row in rows for spot in row), default=0.0)
    y = 0.0
    for row in rows:
        tallest = max((spot.height for spot in row), default=0.0)
        for spot in row:
            spot.x, spot.y = spot.x - left, y + tallest / 2
        y += tallest + _BETWEEN
    right = max((spot.x + spot.width / 2 for row in rows for spot in row), default=0.0)
    return Layout(spots, bends, words, right, y - _BETWEEN)


def _heavy(near: Sequence[Spot]) -> Sequence[Spot]:
    return [spot for spot in near if not spot.light] or near


def _spread(row: Sequence[Spot], wanted: Sequence[float]) -> None:
    """Put a row where it wants to be, as far as there is room for each.

    Less the room that those before it take, places need only not fall.  Half-way between the
    least that do not fall and the greatest they do not either; light ones take what is left.
    """
    room = [0.0]
    for a, b in pairwise(row):
        room.append(room[-1] + (a.width + b.width) / 2 + _GAP)
    place = [x - taken for x, taken in zip(wanted, room, strict=True)] if row else []
    heavy = [n for n, spot in enumerate(row) if not spot.light]
    rising = list(accumulate((place[n] for n in heavy), max))
    falling = list(accumulate((place[n] for n in reversed(heavy)), min))[::-1]
    for n, high, low in zip(heavy, rising, falling, strict=True):
        place[n] = (high + low) / 2
    for n, spot in enumerate(row):
        if spot.light:
            least = place[n - 1] if n else -inf
            most = next((place[m] for m in heavy if m > n), inf)
            place[n] = min(max(place[n], least), most)
        spot.x = place[n] + room[n]
