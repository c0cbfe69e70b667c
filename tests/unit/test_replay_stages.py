"""In which stages a group of dead letters is replayed, and what stops it."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letters.stages import BATCH, Stage, StageReport, stages, why_stop

IDS = st.lists(st.from_regex(r"\A[0-9a-f]{16}\Z"), unique=True, max_size=300)


@given(IDS)
def test_every_letter_is_in_one_stage_and_canaries_come_first(ids: list[str]) -> None:
    found = list(stages(ids))
    names = [name for stage in found for name in stage.letter_ids]
    assert sorted(names) == sorted(ids)
    sizes = [len(stage.letter_ids) for stage in found]
    assert sizes[:1] == ([1] if ids else [])
    assert sizes[1:2] == ([min(10, len(ids) - 1)] if len(ids) > 1 else [])
    assert all(0 < size <= BATCH for size in sizes)
    assert [stage.canary for stage in found] == [True, True, *[False] * len(found)][: len(found)]


@given(IDS, st.randoms(use_true_random=False))
def test_the_same_letters_are_canaries_in_whatever_order_they_come(
    ids: list[str], random: Random
) -> None:
    shuffled = random.sample(ids, len(ids))
    assert list(stages(shuffled)) == list(stages(ids))


def test_canaries_are_drawn_from_the_whole_list() -> None:
    ids = [f"{number:016x}" for number in range(1000)]
    _, ten, *_ = stages(ids)
    positions = [ids.index(name) for name in ten.letter_ids]
    assert max(positions) - min(positions) > 500


def report(stage: Stage, failed: int) -> StageReport:
    size = len(stage.letter_ids)
    return StageReport(stage.name, size, stage.canary, completed=size - failed, failed=failed)


@given(IDS.filter(bool), st.data())
def test_one_failure_of_a_canary_stops_and_a_tenth_of_the_rest(
    ids: list[str], data: st.DataObject
) -> None:
    done: list[StageReport] = []
    for stage in stages(ids):
        failed = data.draw(st.integers(0, len(stage.letter_ids)))
        done.append(report(stage, failed))
        rest = [one for one in done if not one.canary]
        share = sum(one.failed for one in rest) / max(1, sum(one.letters for one in rest))
        bad = failed > 0 if stage.canary else share > 0.1
        assert bool(why_stop(done)) == bad
        if bad:
            break


def test_a_stage_without_outcomes_stops_and_says_how_to_carry_on() -> None:
    stopped = why_stop([StageReport("canary of 10", 10, canary=True, completed=7, unanswered=3)])
    assert "3 of 10" in stopped
    assert "again" in stopped


def test_a_canary_that_somebody_else_took_says_nothing_about_the_rest() -> None:
    assert "somebody else" in why_stop([StageReport("canary of 1", 1, canary=True, taken=1)])
