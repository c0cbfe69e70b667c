"""Published versions of plans."""

from __future__ import annotations

from functools import lru_cache

from models import PlanVersion
from pipeline.errors import Gone
from pipeline.outreach.plans.schema import Plan
from pipeline.stores import collection


@lru_cache(maxsize=512)
def stored(campaign_id: str, number: int) -> Plan:
    """Return a version of a campaign's plan; versions never change, so each is read once.

    Raises Gone if there is none.  It was checked when it was published.
    """
    row = collection(PlanVersion).find_one({"_id": f"{campaign_id}:{number}"}, {"plan": 1})
    if row is None:
        raise Gone("there is no such version of the plan")
    return Plan.model_validate(row["plan"])
