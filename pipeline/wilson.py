"""How sure a share is that was counted: Wilson's score interval.

https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
"""

from __future__ import annotations

import math

#: The quantile of the standard normal distribution that 97.5 % lie below: 95 % on two sides.
Z_95 = 1.959964


def interval(hits: int, of: int, z: float = Z_95) -> tuple[float, float]:
    """Return the lowest and the highest rate, from 0 to 1, that `hits` of `of` may stand for.

    Of nothing, anything may be: (0, 1).
    """
    if not of:
        return 0.0, 1.0
    rate, per = hits / of, z * z / of
    spread = math.sqrt(per * (rate * (1 - rate) + per / 4))
    middle, whole = rate + per / 2, 1 + per
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)
