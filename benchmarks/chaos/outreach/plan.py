"""What a run is made of: campaigns, contacts with their ways, faults and acts, all by the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from benchmarks.chaos.outreach.zones import CLOCKS, QUIET_END, QUIET_START
from benchmarks.chaos.scenes import Fault

#: Which kind of campaign: over SendGrid and Twilio, over SMTP, over Twilio alone.
Kind = Literal["mixed", "smtp", "sms"]
#: What somebody does to a run while it is on.
Deed = Literal["pause_campaign", "pause_tenant", "stop", "suppress"]
TENANTS = 2
#: A pause is over after this share of the run.
_PAUSE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody, and what they do with what they get: None is never, else seconds after."""

    name: str
    clock: str
    opens_after: float | None
    clicks_after: float | None
    replies_after: float | None
    unsubscribes_after: float | None
    complains_after: float | None
    bounces: bool

    @property
    def email(self) -> str:
        """Where they get mail."""
        return f"{self.name}@{self.name[-1]}.chaos.example"

    @property
    def phone(self) -> str:
        """Where they get text messages: a number of New York's, by what tells them apart."""
        seed, campaign, number = map(int, self.name[1:].split("-"))
        return f"+12122{seed % 100:02}{campaign}{number % 1000:03}"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of a tenant, its plan, and who is in it."""

    name: str
    tenant: str
    kind: Kind
    plan: dict[str, Any]
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does `at_seconds`: to a campaign, or to contact `number` of it."""

    at_seconds: float
    deed: Deed
    campaign: int
    number: int
    lasts_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    seconds: float
    campaigns: tuple[Campaign, ...]
    acts: tuple[Act, ...]
    faults: tuple[Fault, ...]
    kills: int

    @property
    def contacts(self) -> int:
        """How many there are in all campaigns."""
        return sum(len(campaign.contacts) for campaign in self.campaigns)


def make_plan(seed: int, contacts: int, seconds: float, kills: int) -> Plan:
    """Return the plan of a seed: `contacts` in each campaign, things happening for `seconds`."""
    random = Random(f"chaos-outreach/{seed}")
    kinds: tuple[Kind, ...] = ("mixed", "mixed", "smtp", "sms")
    campaigns = tuple(
        _campaign(random, seed, number, kind, contacts) for number, kind in enumerate(kinds)
    )
    return Plan(
        seed,
        seconds,
        campaigns,
        tuple(sorted(_acts(random, campaigns, seconds), key=lambda act: act.at_seconds)),
        _faults(random),
        kills,
    )


def _campaign(random: Random, seed: int, number: int, kind: Kind, contacts: int) -> Campaign:
    make = {"mixed": _mixed, "smtp": _by_smtp, "sms": _by_sms}[kind]
    head = {
        "version": "1.0",
        "timezone": "UTC",
        "quietHours": {"start": QUIET_START, "end": QUIET_END},
    }
    people = tuple(_contact(random, f"c{seed}-{number}-{n}", kind) for n in range(contacts))
    name = f"chaos-{seed}-{number}"
    return Campaign(name, f"chaos-{seed}-{number % TENANTS}", kind, head | make(random), people)


def _contact(random: Random, name: str, kind: Kind) -> Contact:
    def perhaps(chance: float) -> float | None:
        return round(random.uniform(0, 8), 2) if random.random() < chance else None

    is_text = kind == "sms"
    return Contact(
        name,
        random.choice(CLOCKS).name,
        opens_after=None if is_text else perhaps(0.6),
        clicks_after=perhaps(0.4),
        replies_after=None if kind == "smtp" else perhaps(0.05),
        unsubscribes_after=perhaps(0.07),
        complains_after=perhaps(0.04) if kind == "mixed" else None,
        bounces=kind != "smtp" and random.random() < 0.06,
    )


def _mixed(random: Random) -> dict[str, Any]:
    return {
        "startNodeId": "hello",
        "nodes": [
            _mail("hello", [
                _way("opened", "more", within="PT1H"),
                _way("bounced", "stop"),
                _way("no_open", "again", after=_seconds(random)),
            ]),
            _mail("more", [
                _way("clicked", "thanks"),
                _way("no_click", "call", after=_seconds(random)),
            ], delay=f"PT{random.randint(0, 3)}S"),
            _mail("again", [
                _way("delivered", "look"),
                _way("no_click", "call", after="PT40S"),
            ]),
            _node("look", "email", "wait", transitions=[
                _way("opened", "more"),
                _way("no_open", "call", after=_seconds(random)),
            ]),
            _text("call", [
                _way("replied", "stop"),
                _way("clicked", "done"),
                _way("no_click", "done", after="PT6S"),
            ]),
            _mail("thanks", [_way("no_open", "done", after=_seconds(random))]),
            _node("done", "email", "stop"),
        ],
    }  # fmt: skip


def _by_smtp(random: Random) -> dict[str, Any]:
    return {
        "startNodeId": "hello",
        "nodes": [
            _mail("hello", [
                _way("clicked", "thanks"),
                _way("opened", "more"),
                _way("no_open", "again", after=_seconds(random)),
            ]),
            _mail("more", [_way("no_click", "stop", after=_seconds(random))]),
            _mail("again", [_way("no_open", "stop", after=_seconds(random))]),
            _mail("thanks", [_way("no_click", "stop", after=_seconds(random))]),
        ],
    }  # fmt: skip


def _by_sms(random: Random) -> dict[str, Any]:
    return {
        "startNodeId": "hello",
        "nodes": [
            _text("hello", [
                _way("delivered", "look"),
                _way("bounced", "stop"),
                _way("no_click", "again", after="PT45S"),
            ]),
            _node("look", "sms", "wait", transitions=[
                _way("clicked", "again"),
                _way("no_click", "again", after=_seconds(random)),
            ]),
            _text("again", [_way("no_click", "stop", after=_seconds(random))]),
        ],
    }  # fmt: skip


def _mail(name: str, transitions: list[dict[str, Any]], delay: str = "PT0S") -> dict[str, Any]:
    body = (
        f"<p>Hello {{{{ contact.first_name }}}}, this is {name}: "
        '<a href="https://chaos.example/offer">look</a>. '
        '<a href="{{ unsubscribe_url }}">No more, please</a></p>'
    )
    content = {"subject": f"Chaos {name}", "body": body, "schedule": {"delay": delay}}
    return _node(name, "email", "send", **content, transitions=transitions)


def _text(name: str, transitions: list[dict[str, Any]]) -> dict[str, Any]:
    body = f"Chaos {name} for {{{{ contact.first_name }}}}: https://chaos.example/offer"
    return _node(name, "sms", "send", body=body, transitions=transitions)


def _node(name: str, channel: str, action: str, **rest: Any) -> dict[str, Any]:
    return {"id": name, "channel": channel, "action": action, **rest}


def _way(on: str, to: str, **limits: str) -> dict[str, str]:
    return {"on": on, "to": to, **limits}


def _seconds(random: Random) -> str:
    return f"PT{random.randint(4, 15)}S"


def _acts(random: Random, campaigns: tuple[Campaign, ...], seconds: float) -> list[Act]:
    lasts = _PAUSE_SHARE * seconds

    def act(deed: Deed) -> Act:
        campaign = random.randrange(len(campaigns))
        number = random.randrange(len(campaigns[campaign].contacts))
        at = random.uniform(0, 0.8 * seconds)
        return Act(at, deed, campaign, number, lasts * random.uniform(0.5, 1))

    of_one = sum(len(campaign.contacts) for campaign in campaigns) // 15
    return [
        *(act("pause_campaign") for _ in range(2)),
        act("pause_tenant"),
        *(act("stop") for _ in range(of_one)),
        *(act("suppress") for _ in range(of_one)),
    ]


def _faults(random: Random) -> tuple[Fault, ...]:
    providers = [
        fault
        for api in ("sendgrid", "twilio")
        for fault in (
            Fault(api, "status", random.uniform(0.01, 0.05), (("code", 503),)),
            Fault(api, "status", random.uniform(0.01, 0.03), (("code", 429), ("retry_after", 1))),
            Fault(api, "status", random.uniform(0.0, 0.02), (("code", 500),)),
            Fault(api, "drop", random.uniform(0.01, 0.04), (("after_bytes", 5),)),
        )
    ]
    return tuple(providers)
