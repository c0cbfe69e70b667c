"""Plans as drawings: nothing stands on anything else, ways lead down, rules are in words."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.outreach.reading.plans import of_plan
from pipeline.web.admin.outreach.drawing import carrier, does, drawn
from pipeline.web.admin.outreach.layers import Spot, laid_out


def _way(on: str, to: str, **rule: str) -> dict[str, str]:
    return {"on": on, "to": to, **rule}


PLAN: dict[str, Any] = {
    "startNodeId": "hello",
    "defaults": {"timers": {"no_open_after": "P2D"}},
    "nodes": [
        {"id": "done", "action": "stop"},
        {
            "id": "hello",
            "action": "send",
            "channel": "email",
            "subject": "A subject that is longer than any box could ever be",
            "schedule": {"delay": "P1D"},
            "transitions": [
                _way("clicked", "done", within="PT36H"),
                _way("no_open", "pause"),
                _way("replied", "stop"),
            ],
        },
        {
            "id": "pause",
            "action": "wait",
            "transitions": [_way("no_click", "pause", after="P7D"), _way("opened", "hello")],
        },
    ],
}


def test_a_step_says_what_it_does_and_a_way_when_it_is_taken() -> None:
    by_id = {node.id: node for node in of_plan(PLAN)}
    assert does(by_id["hello"]) == "e-mail, after 1 d"
    assert [(edge.rule, edge.to) for edge in by_id["hello"].edges] == [
        ("clicked within 1 d 12 h", "done"),
        ("no open within 2 d", "pause"),
        ("replied", "stop"),
    ]
    assert [carrier(by_id[name]) for name in ("pause", "done")] == ["wait", "end"]


def test_the_first_step_is_on_top_and_each_way_that_ends_has_an_end_of_its_own() -> None:
    made = drawn(of_plan(PLAN))
    tops = {box.node.id: box.top for box in made.boxes if box.node}
    assert tops["hello"] < tops["pause"]
    assert tops["hello"] < tops["done"]
    assert [box.node for box in made.boxes].count(None) == 1
    hello = next(box for box in made.boxes if box.node and box.node.id == "hello")
    assert hello.subject.endswith("…")
    again = next(line for line in made.lines if line.start == line.end)
    assert again.x - again.width / 2 > hello.left


def test_a_plan_of_one_step_is_drawn() -> None:
    made = drawn(of_plan({"startNodeId": "a", "nodes": [{"id": "a", "action": "stop"}]}))
    assert len(made.boxes) == 1
    assert made.lines == []


@settings(max_examples=60, deadline=None)
@given(some.data())
def test_nothing_stands_on_anything_else_however_the_ways_go(data: some.DataObject) -> None:
    names = [str(number) for number in range(data.draw(some.integers(1, 9)))]
    pairs = some.tuples(some.sampled_from(names), some.sampled_from(names))
    ways = data.draw(some.sets(pairs, max_size=16))
    light = set(data.draw(some.lists(some.sampled_from(names))))
    made = laid_out(dict.fromkeys(names, (100.0, 40.0)), dict.fromkeys(ways, (60.0, 17.0)), light)
    seen = [*made.boxes.values(), *made.words.values()]
    assert not [(a, b) for a, b in combinations(seen, 2) if _overlap(a, b)]
    assert all(spot.x - spot.width / 2 >= -0.01 for spot in seen)
    assert all(spot.x + spot.width / 2 <= made.width + 0.01 for spot in seen)
    for (start, end), bends in made.bends.items():
        ys = [made.boxes[start].y, *(bend.y for bend in bends), made.boxes[end].y]
        assert ys in (sorted(ys), sorted(ys, reverse=True))


def _overlap(one: Spot, other: Spot) -> bool:
    beside = abs(one.x - other.x) < (one.width + other.width) / 2 - 0.01
    return beside and abs(one.y - other.y) < (one.height + other.height) / 2 - 0.01
