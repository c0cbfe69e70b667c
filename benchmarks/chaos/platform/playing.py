"""Playing a plan: what it says happens at its times, while workers die."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta

from benchmarks.chaos.platform import cast
from benchmarks.chaos.platform.plan import Act, Person, Plan
from pipeline.dispatch import send
from pipeline.errors import Permanent
from pipeline.platform import ai, email
from pipeline.projections.search import rebuilding
from pipeline.refusals import Refused
from pipeline.sandbox.client import SandboxClient

BY = "chaos"
_CHANGES = 6
_TYPES = ("generate-summary", "categorize", "note-cleanup", "extract-mentions")
_EVERY = timedelta(seconds=4)


def play(plan: Plan, sandbox: SandboxClient) -> None:
    """Do all that the plan says; everybody is synced every few seconds."""
    began, synced = time.monotonic(), 0.0
    waiting = list(plan.acts)
    while (elapsed := time.monotonic() - began) < plan.seconds or waiting:
        while waiting and waiting[0].at_seconds <= elapsed:
            _do(plan, waiting.pop(0), sandbox)
        if elapsed - synced > _EVERY.total_seconds():
            cast.sync_again(plan.people)
            synced = elapsed
        time.sleep(0.1)


def _do(plan: Plan, act: Act, sandbox: SandboxClient) -> None:
    person = plan.people[act.person]
    if act.deed == "change":
        sandbox.mutate(1000 * plan.seed + act.number, _CHANGES, [person.user])
    elif act.deed == "ask":
        _ask(person, act.number)
    elif act.deed == "tell":
        _tell(person, act.number)
    else:
        with suppress(Refused):  # the first index is being filled
            send("rebuild_search", rebuilding.begin(by=BY))


def _ask(person: Person, number: int) -> None:
    """Ask for something of a mail, a thread or a text; what was asked before is not asked again."""
    kind = _TYPES[number % len(_TYPES)]
    mail = cast.mail_of(person, number)
    with suppress(Permanent):  # the mail was deleted just now
        if number % 3 == 0 or mail is None:
            ai.ask(person.tenant, kind, content=_text(person, number), by=BY)
        elif number % 3 == 1:
            entity = ("record", mail["_id"].hex())
            ai.ask(person.tenant, kind, entity=entity, user_id=person.user, by=BY)
        else:
            entity = ("thread", f"google_gmail:{mail['item'].get('threadId', '')}")
            ai.ask(person.tenant, kind, entity=entity, user_id=person.user, by=BY)


def _tell(person: Person, number: int) -> None:
    """Have a mail be sent; the same number is the same mail."""
    email.queue(
        key_of(number),
        tenant_id=person.tenant,
        user_id=person.user,
        template="notification",
        context={
            "title": f"{key_of(number)} {person.secret}",
            "message": f"Only for {person.secret}.",
            "kind": "system",
            "priority": "normal",
        },
        by=BY,
    )


def key_of(number: int) -> str:
    """Return the key of a mail."""
    return f"mail-{number}"


def _text(person: Person, number: int) -> str:
    """Return a text that says whose it is in every sentence."""
    return " ".join(
        f"Point {point} of note {number} by {person.secret} is about the budget of {person.secret}."
        for point in range(1, 9)
    )
