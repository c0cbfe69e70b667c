"""One row of the results: a value, what it ranged over, its target, whether it was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
Results = dict[str, Row]


def measured(
    runs: Sequence[float],
    *,
    digits: int = 0,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Return the row of a measure: the median of `runs`, and between what they lay."""
    value = statistics.median(runs)
    row: Row = {"value": rounded(value, digits)}
    if len(runs) > 1:
        row |= {"min": rounded(min(runs), digits), "max": rounded(max(runs), digits)}
    if at_least is not None:
        row |= {"target": f"at least {at_least:,g}", "met": value >= at_least}
    if at_most is not None:
        row |= {"target": f"at most {at_most:,g}", "met": value <= at_most}
    return row


def rounded(value: float, digits: int) -> float | int:
    """Return `value` with so many digits; a whole number for none."""
    return round(value, digits) if digits else round(value)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of `values`, which are sorted, do not exceed."""
    return values[max(0, round(len(values) * share) - 1)]
