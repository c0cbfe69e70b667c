"""A plan as JSON: names are camelCase as they are stored; snake_case is read too."""

from __future__ import annotations

from datetime import datetime, time
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from pipeline.outreach import time_zones
from pipeline.outreach.plans import durations
from pipeline.refusals import Refused

#: The target that ends a plan without a node of its own.
STOP = "stop"
#: What a timer makes happen, by the event that it waits for in vain.
TIMER_EVENTS = {"no_open": "opened", "no_click": "clicked"}
#: How long a timer waits where neither its transition nor the plan says so.
NO_OPEN_AFTER, NO_CLICK_AFTER = "PT72H", "PT24H"
MOST_NODES = 200
MOST_TRANSITIONS = 50
MOST_CHARACTERS = 200_000
#: Clocks of all zones, and what is added to a time, are to stay within what a time can be.
LAST_YEAR = 2999
#: Of a day, what quiet hours must leave: a message needs some time to be sent.
LEAST_LOUD_MINUTES = 15
#: What providers call what we have another name for.
_OTHER_NAMES = {"spamreport": "spam_report"}
_HINTS = {"blocked": "; a blocked message counts as 'bounced'"}
Event = Literal[
    "delivered", "opened", "clicked", "replied", "no_open", "no_click",
    "bounced", "spam_report", "unsubscribed",
]  # fmt: skip


def _event(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in _HINTS:
        raise ValueError(f"is no event that leads on{_HINTS[value]}")
    return _OTHER_NAMES.get(value, value)


def _clock_time(value: Any) -> Any:
    """Return the time of "HH:MM".  Raises ValueError."""
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(value, "%H:%M").time() if len(value) == 5 else _no_time()  # noqa: DTZ007
    except (TypeError, ValueError):
        return _no_time()


def _no_time() -> time:
    raise ValueError("is no time of day; give hours and minutes such as 22:30")


def _zone(name: str) -> str:
    try:
        return time_zones.zone(name, field="")
    except Refused as refused:
        raise ValueError(str(refused)) from None


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no RFC 3339 time; give one like 2026-03-01T09:00:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError("has no offset from UTC; end it in Z or one such as +01:00")
    if moment.year > LAST_YEAR:
        raise ValueError(f"is too far away; give a year up to {LAST_YEAR}")
    return text


Delay = Annotated[str, AfterValidator(durations.checked)]
Wait = Annotated[str, AfterValidator(durations.checked_positive)]
ClockTime = Annotated[
    time,
    BeforeValidator(_clock_time),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class Quiet(_Part):
    """Hours of the wall clock, from `start` up to `end`, in which nothing is sent.

    They may span midnight; from a time to the same time they are none.
    """

    start: ClockTime
    end: ClockTime

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        start, end = (part.hour * 60 + part.minute for part in (self.start, self.end))
        if 0 < (start - end) % (24 * 60) < LEAST_LOUD_MINUTES:
            raise ValueError(f"leave less than {LEAST_LOUD_MINUTES} minutes of a day to send in")
        return self


class Schedule(_Part):
    """When a message goes out: `delay` after its node was entered, or `at` a moment."""

    delay: Delay = "PT0S"
    at: Annotated[str, AfterValidator(_moment)] | None = None


class Transition(_Part):
    """What leads from a node to another: an event, in time or late enough."""

    on: Annotated[Event, BeforeValidator(_event)]
    to: Name
    within: Wait | None = None
    after: Wait | None = None


class Node(_Part):
    """A step of a plan: it sends a message, waits, or stops."""

    id: Name
    channel: Literal["email", "sms"] | None = None
    action: Literal["send", "wait", "stop"]
    subject: Annotated[str, Field(max_length=2000)] | None = None
    body: Text | None = None
    text: Text | None = None
    schedule: Schedule | None = None
    transitions: Annotated[tuple[Transition, ...], Field(max_length=MOST_TRANSITIONS)] = ()


class Timers(_Part):
    """How long timers wait whose transition does not say so."""

    no_open_after: Wait = Field(
        default=NO_OPEN_AFTER,
        validation_alias=AliasChoices("no_open_after", "noOpenAfter"),
        serialization_alias="no_open_after",
    )
    no_click_after: Wait = Field(
        default=NO_CLICK_AFTER,
        validation_alias=AliasChoices("no_click_after", "noClickAfter"),
        serialization_alias="no_click_after",
    )


class Defaults(_Part):
    """What holds where a node says nothing."""

    timers: Timers = Timers()


class Plan(_Part):
    """A whole plan.  Its parts fit together only if `plans.check` has found no problem."""

    version: Annotated[str, Field(max_length=20)] = "1.0"
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        validation_alias=AliasChoices("timezone", "time_zone", "timeZone"),
        serialization_alias="timezone",
    )
    quiet: Quiet | None = Field(
        default=None,
        validation_alias=AliasChoices("quietHours", "quiet_hours"),
        serialization_alias="quietHours",
    )
    defaults: Defaults = Defaults()
    start_node_id: Name
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MOST_NODES)]

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}

    @property
    def channels(self) -> set[str]:
        """The channels that messages of the plan go by."""
        return {node.channel for node in self.nodes if node.action == "send" and node.channel}

    def node(self, node_id: str) -> Node:
        """Return a node.  Raises KeyError if the plan has none of that id."""
        return self.by_id[node_id]

    def wait_of(self, transition: Transition) -> str:
        """Return how long the timer of a no_open or no_click transition waits."""
        if transition.after:
            return transition.after
        timers = self.defaults.timers
        return timers.no_open_after if transition.on == "no_open" else timers.no_click_after
