"""How is told what came of messages."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, Field

from pipeline.outreach.reading.stats import CampaignStats, Day, Stats


class RateView(BaseModel):
    """How often something came of a message that was sent, and how sure that is."""

    count: int = Field(description="Of how many messages it came.")
    of: int = Field(description="How many were sent.")
    rate: float = Field(description="Their share, 0 to 1.")
    low: float = Field(description="The least that the true rate is, with 95 % certainty.")
    high: float = Field(description="The most that it is (the interval is Wilson's).")


class StatsView(BaseModel):
    """What came of messages."""

    sent: int = Field(description="Messages that were sent.")
    failed: int = Field(description="Messages that cannot be sent.")
    unknown: int = Field(description="Messages that may have been sent: no answer came.")
    waiting: int = Field(description="Messages that are claimed, to be tried again, or canceled.")
    outcomes: dict[str, RateView] = Field(
        description="delivered, opened, clicked, replied, bounced, spam_report, unsubscribed; "
        "each of those sent."
    )


class DayView(BaseModel):
    """How much of each there was on a day (UTC)."""

    day: str = Field(description="The day, as 2026-03-01.")
    sent: int = Field(description="Messages that were sent that day.")
    delivered: int = Field(description="Delivered that day, whenever they were sent.")
    opened: int = Field(description="Opened that day for the first time.")
    clicked: int = Field(description="Clicked that day for the first time.")
    replied: int = Field(description="Answered that day for the first time.")
    bounced: int = Field(description="Bounced that day.")
    spam_report: int = Field(description="Reported as spam that day.")
    unsubscribed: int = Field(description="By which somebody unsubscribed that day.")


class CampaignStatsView(BaseModel):
    """What came of the messages of a campaign."""

    total: StatsView = Field(description="Of all its messages.")
    nodes: dict[str, StatsView] = Field(description="Of those of each node, by its id.")
    days: list[DayView] = Field(description="The last days, the oldest first.")
    at: datetime = Field(description="When it was counted.")


def stats_view(stats: Stats) -> StatsView:
    """Return what is told of what came of messages."""
    return StatsView(
        sent=stats.sent,
        failed=stats.failed,
        unknown=stats.unknown,
        waiting=stats.waiting,
        outcomes={name: RateView(**asdict(rate)) for name, rate in stats.outcomes.items()},
    )


def campaign_stats_view(stats: CampaignStats, days: list[Day]) -> CampaignStatsView:
    """Return what is told of what came of the messages of a campaign."""
    return CampaignStatsView(
        total=stats_view(stats.total),
        nodes={name: stats_view(one) for name, one in stats.nodes.items()},
        days=[DayView(**asdict(day)) for day in days],
        at=stats.at,
    )
