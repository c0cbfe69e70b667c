"""Playing a plan: pauses, stops and suppressions at their times, while workers die."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.chaos.outreach.cast import Cast
from benchmarks.chaos.outreach.plan import Act, Deed, Plan
from pipeline.errors import HeadraceError
from pipeline.outreach import campaign_status, enrollments, suppressions

_BY = "chaos"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done to enrollments, and while it held."""

    deed: Deed
    enrollment_ids: tuple[str, ...]
    begun: datetime
    over: datetime


@dataclass(frozen=True, slots=True)
class _Pause:
    deed: Deed
    tenant_id: str
    campaign_id: str
    begun: datetime
    until_seconds: float


def play(plan: Plan, cast: Cast) -> list[Done]:
    """Do all that `plan` says, at its times, until its seconds are over; return what was done."""
    done: list[Done] = []
    pauses: list[_Pause] = []
    began = time.monotonic()
    waiting = list(plan.acts)
    while (elapsed := time.monotonic() - began) < plan.seconds or pauses:
        while waiting and waiting[0].at_seconds <= elapsed:
            act = waiting.pop(0)
            begin = _DEEDS[act.deed]
            if not _is_paused(cast, act, pauses):
                pauses += begin(cast, act)
        for pause in [pause for pause in pauses if pause.until_seconds <= elapsed]:
            pauses.remove(pause)
            done.append(_end(cast, pause))
        time.sleep(_LOOK_SECONDS)
    return done


def _is_paused(cast: Cast, act: Act, pauses: list[_Pause]) -> bool:
    """Return whether an act is a pause of what is paused already: it would end with the other."""
    tenant_id, campaign_id = cast.campaigns[act.campaign]
    concerned = {"pause_campaign": (tenant_id, campaign_id), "pause_tenant": (tenant_id, "")}
    return concerned.get(act.deed) in [(one.tenant_id, one.campaign_id) for one in pauses]


def _pause_campaign(cast: Cast, act: Act) -> Iterator[_Pause]:
    tenant_id, campaign_id = cast.campaigns[act.campaign]
    campaign_status.pause(tenant_id, campaign_id, by=_BY, reason="chaos")
    until = act.at_seconds + act.lasts_seconds
    yield _Pause(act.deed, tenant_id, campaign_id, datetime.now(UTC), until)


def _pause_tenant(cast: Cast, act: Act) -> Iterator[_Pause]:
    tenant_id, _ = cast.campaigns[act.campaign]
    campaign_status.pause_tenant(tenant_id, by=_BY, reason="chaos")
    until = act.at_seconds + act.lasts_seconds
    yield _Pause(act.deed, tenant_id, "", datetime.now(UTC), until)


def _end(cast: Cast, pause: _Pause) -> Done:
    """End a pause.  What is sent before it has ended was sent too early."""
    over = datetime.now(UTC)
    if pause.campaign_id:
        campaign_status.resume(pause.tenant_id, pause.campaign_id, by=_BY)
    else:
        campaign_status.resume_tenant(pause.tenant_id, by=_BY)
    whose = cast.in_campaign(pause.campaign_id) if pause.campaign_id else cast.of(pause.tenant_id)
    return Done(pause.deed, tuple(whose), pause.begun, over)


def _stop(cast: Cast, act: Act) -> Iterable[_Pause]:
    tenant_id, campaign_id = cast.campaigns[act.campaign]
    enrollment_id = cast.in_campaign(campaign_id)[act.number]
    with suppress(HeadraceError):  # it is over by itself
        enrollments.stop(tenant_id, enrollment_id, by=_BY, reason="chaos")
    return ()


def _suppress(cast: Cast, act: Act) -> Iterable[_Pause]:
    tenant_id, campaign_id = cast.campaigns[act.campaign]
    contact = cast.members[cast.in_campaign(campaign_id)[act.number]].contact
    for channel, address in (("email", contact.email), ("sms", contact.phone)):
        suppressions.suppress(None, tenant_id, channel, address, reason="manual", source=_BY)
    return ()


_DEEDS = {
    "pause_campaign": _pause_campaign,
    "pause_tenant": _pause_tenant,
    "stop": _stop,
    "suppress": _suppress,
}
