"""How sure it is that a user does the same with all mail of a sender, in percent.

There is one denominator: mails of the sender that arrived and are settled.  `rate` is the
share of them with which the user did it, however little is known:

    base    the lower end of Wilson's score interval, one-sided 90 % (z = 1.2816), in percent:
            n of n mails come to 100·n / (n + z²), so a habit is sure only once it is long
    recency 1 − 0.5·max(0, overall rate − rate of the last 7 days), at least 0.85; both over the
            same mails, and only if 3 or more of them arrived in these days

    confidence = base · recency, to one decimal

A habit that is given up loses at once; a week without mail says nothing, for or against: it
can be no better than a week in which all was as ever.  What comes of it:

    30 of 30      94.8      not yet sure enough to delete at the default threshold of 98
    90 of 90      98.2      sure enough
    1000 of 1000  99.8
    93 of 100     89.0      one in fourteen was kept: never sure enough
    891 of 1000   87.8      nor here, however many there are
    90 of 100     85.5      72.7 if it was the last week's 10 that were kept
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.wilson import interval

#: The quantile of the standard normal distribution that 90 % lie below.
Z = 1.2816
RECENT_DAYS = 7
#: Fewer mails in the recent days say nothing about them.
LEAST_RECENT = 3
#: A habit that was given up loses half of the difference between the rates, and no more than this.
LEAST_RECENCY = 0.85
RECENCY_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Tally:
    """How many settled mails arrived, and with how many of them the user did it.

    The recent ones, of the last RECENT_DAYS, are among them.
    """

    acted: int
    arrivals: int
    recent_acted: int = 0
    recent_arrivals: int = 0

    @property
    def exceptions(self) -> int:
        """With how many the user did something else, or nothing."""
        return self.arrivals - self.acted


def confidence(tally: Tally) -> float:
    """Return how sure the habit is, from 0 to 100."""
    if not tally.arrivals:
        return 0.0
    sure = 100 * lower_bound(tally.acted, tally.arrivals) * _recency(tally)
    return min(100.0, round(sure, 1))


def lower_bound(acted: int, arrivals: int) -> float:
    """Return the lowest rate, from 0 to 1, with which so many of so many are not surprising."""
    return interval(acted, arrivals, Z)[0]


def _recency(tally: Tally) -> float:
    if tally.recent_arrivals < LEAST_RECENT:
        return 1.0
    overall = tally.acted / tally.arrivals
    recent = tally.recent_acted / tally.recent_arrivals
    return max(LEAST_RECENCY, 1 - RECENCY_WEIGHT * max(0.0, overall - recent))
