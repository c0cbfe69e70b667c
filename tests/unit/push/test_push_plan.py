"""Whatever subscriptions there are, the plan leads to one live one for each stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models import SUBSCRIPTION_STATUSES
from pipeline.push.plan import OVER, is_live, outlook, plan

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HERE, ELSEWHERE = "https://here.example", "https://elsewhere.example"
STREAMS = ["a", "b", "c"]
moments = st.integers(-20, 20).map(lambda hours: NOW + timedelta(hours=hours, minutes=1))


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows as a database may hold them: at most one of a stream is pending."""
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 6))):
        status = draw(st.sampled_from(SUBSCRIPTION_STATUSES))
        stream = draw(st.sampled_from(STREAMS))
        asked = {(row["stream"], row["status"]) for row in found}
        if status == "pending" and (stream, status) in asked:
            continue
        row = {
            "_id": str(number),
            "stream": stream,
            "status": status,
            "target": draw(st.sampled_from((HERE, HERE, ELSEWHERE))),
            "created_at": NOW - timedelta(days=1, minutes=number),
            "retry_at": draw(moments),
        }
        if status == "active" or draw(st.booleans()):
            row["expires_at"] = draw(moments)
        if draw(st.integers(0, 9)) == 0:
            row["held_by"] = "ann"
        found.append(row)
    return found


def carry_out(
    found: list[dict[str, Any]], wanted: list[str], now: datetime, *, in_place: bool
) -> list[dict[str, Any]]:
    """Do what is planned, with a provider that never refuses."""
    made = plan(wanted, found, target=HERE, in_place=in_place, now=now)
    for row in [*made.retire, *made.stop]:
        row["status"] = "stopped"
    fresh = {
        "status": "active",
        "target": HERE,
        "expires_at": now + timedelta(days=7),
        "retry_at": now + timedelta(days=6),
    }
    for stream, before in made.ask:
        if in_place and before is not None:
            before.update(fresh)
            continue
        if before is not None and before["status"] == "active":
            before["status"] = "stopped"
        found.append({"_id": f"new {stream}", "stream": stream, "created_at": now} | fresh)
    return found


@given(rows(), st.sets(st.sampled_from(STREAMS)), st.booleans())
@settings(max_examples=300)
def test_when_every_wait_is_over_each_stream_has_one_live_subscription(
    found: list[dict[str, Any]], wanted: set[str], in_place: bool
) -> None:
    streams = sorted(wanted)
    late = NOW + timedelta(days=2)
    after = carry_out(found, streams, late, in_place=in_place)
    held = {row["stream"] for row in after if row.get("held_by")}
    live = sorted(row["stream"] for row in after if is_live(row, HERE, late))
    assert live == sorted(wanted - held)
    assert all(row["status"] in OVER or row["status"] == "active" for row in after)
    again = plan(streams, after, target=HERE, in_place=in_place, now=late)
    assert (again.ask, again.stop, again.retire) == ([], [], [])
    seen = outlook(streams, after, target=HERE, now=late)
    assert (seen.live_until is not None) == bool(wanted and not wanted & held)
    assert seen.due_at is None or seen.due_at > late


@given(rows(), st.booleans())
def test_a_live_subscription_is_never_ended_before_another_is_live(
    found: list[dict[str, Any]], in_place: bool
) -> None:
    before = {row["stream"] for row in found if is_live(row, HERE, NOW)}
    held = {row["stream"] for row in found if row.get("held_by")}
    made = plan(STREAMS, found, target=HERE, in_place=in_place, now=NOW)
    ended = {row["_id"] for row in [*made.stop, *made.retire]}
    left = {r["stream"] for r in found if is_live(r, HERE, NOW) and r["_id"] not in ended}
    assert before - held == left


@given(rows(), st.booleans())
def test_nobody_asks_for_what_somebody_asks_for(
    found: list[dict[str, Any]], in_place: bool
) -> None:
    made = plan(STREAMS, found, target=HERE, in_place=in_place, now=NOW)
    asked = [stream for stream, _ in made.ask]
    busy = {r["stream"] for r in found if r["status"] == "pending" and r["retry_at"] > NOW}
    assert len(asked) == len(set(asked))
    assert busy.isdisjoint(asked)
    touched = [row["_id"] for row in [*made.stop, *made.retire]]
    assert len(touched) == len(set(touched))


@given(rows())
def test_the_next_look_is_no_later_than_what_waits(found: list[dict[str, Any]]) -> None:
    seen = outlook(STREAMS, found, target=HERE, now=NOW)
    waits = [
        row["retry_at"]
        for row in found
        if row["status"] in ("pending", "stopping")
        and not any(r.get("held_by") for r in found if r["stream"] == row["stream"])
    ]
    assert all(seen.due_at is not None and seen.due_at <= moment for moment in waits)


def test_what_the_provider_never_pushes_does_not_keep_the_rest_from_being_live() -> None:
    live = {"status": "active", "target": HERE, "expires_at": NOW + timedelta(days=1)}
    found = [
        {"_id": "1", "stream": "a", "created_at": NOW, "retry_at": NOW} | live,
        {
            "_id": "2",
            "stream": "b",
            "status": "unsupported",
            "target": HERE,
            "created_at": NOW,
            "retry_at": NOW + timedelta(days=7),
        },
    ]
    assert outlook(["a", "b"], found, target=HERE, now=NOW).live_until == NOW + timedelta(days=1)
    assert outlook(["b"], found, target=HERE, now=NOW).live_until is None
    assert outlook(["a", "b", "c"], found, target=HERE, now=NOW).live_until is None
