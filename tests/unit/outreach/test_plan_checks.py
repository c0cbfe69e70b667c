"""A plan that does not hang together is refused, with all that is wrong by its path."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outreach import plans
from pipeline.outreach.plans import examples

Row = dict[str, Any]


def errors(raw: Any) -> dict[str, str]:
    return {problem.path: problem.message for problem in plans.check(raw).errors}


def warnings(raw: Row) -> dict[str, str]:
    checked = plans.check(raw)
    assert checked.errors == []
    return {problem.path: problem.message for problem in checked.warnings}


def changed(path: str, value: Any) -> Row:
    """Return the welcome with something else at one place; None: without it."""
    raw = examples.welcome()
    part: Any = raw
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        part = part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return raw


def send(name: str, *transitions: Row, **more: Any) -> Row:
    told = {"id": name, "channel": "email", "action": "send", "subject": "Hi", "body": "Hello"}
    return told | {"transitions": list(transitions)} | more


def wait(name: str, *transitions: Row) -> Row:
    return {"id": name, "action": "wait", "transitions": list(transitions)}


def on(event: str, to: str, **limits: str) -> Row:
    return {"on": event, "to": to} | limits


def plan(*nodes: Row) -> Row:
    return {"timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": list(nodes)}


def test_the_example_has_nothing_wrong_with_it() -> None:
    checked = plans.check(examples.welcome())
    assert (checked.errors, checked.warnings) == ([], [])
    assert checked.plan is not None
    assert checked.plan.channels == {"email"}


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        (
            "timezone",
            "Europe/Berln",
            "timezone",
            "there is no such time zone; did you mean 'Europe/Berlin'?",
        ),
        ("timezone", None, "timezone", "is missing"),
        ("quietHours/start", "9:00", "quietHours.start", "is no time of day"),
        ("quietHours/start", "24:00", "quietHours.start", "is no time of day"),
        ("quietHours/end", "20:50", "quietHours", "leave less than 15 minutes"),
        ("quietHours/strat", "09:00", "quietHours.strat", "did you mean 'start'?"),
        ("defaults/timers/no_open_after", "PT0S", "defaults.timers.no_open_after", "takes no time"),
        (
            "startNodeId",
            "welcom",
            "startNodeId",
            "there is no node 'welcom'; did you mean 'welcome'?",
        ),
        ("nodes", [], "nodes", "is empty; give at least 1"),
        ("nodes", {}, "nodes", "is no list"),
        ("nodes/0", "welcome", "nodes[0]", "is no object"),
        ("nodes/0/id", "a b", "nodes[0].id", "is no id"),
        ("nodes/0/id", "x" * 65, "nodes[0].id", "is no id"),
        ("nodes/1/id", "welcome", "nodes[1].id", "'welcome' is the id of nodes[0] already"),
        ("nodes/1/id", "stop", "nodes[1].id", "'stop' is the end of a plan"),
        ("nodes/0/action", "sned", "nodes[0].action", "did you mean 'send'?"),
        ("nodes/0/channel", "fax", "nodes[0].channel", "is none of 'email' or 'sms'"),
        ("nodes/0/channel", None, "nodes[0].channel", "is missing"),
        ("nodes/0/subject", None, "nodes[0].subject", "is missing"),
        ("nodes/0/subject", 3, "nodes[0].subject", "is no text"),
        ("nodes/0/body", "  ", "nodes[0].body", "is missing"),
        ("nodes/0/body", "x" * 200_001, "nodes[0].body", "is too long; give at most 200000"),
        (
            "nodes/0/body",
            "{{ contact.frist_name }}",
            "nodes[0].body",
            "did you mean 'contact.first_name'?",
        ),
        ("nodes/0/body", "<p>Hello</p><![vml[ ]]>", "nodes[0].body", "is no HTML"),
        ("nodes/0/body", "Hello {{ contact", "nodes[0].body", "line 1: "),
        ("nodes/0/text", "{{ name }}", "nodes[0].text", "name is not known"),
        ("nodes/1/schedule/delay", "P", "nodes[1].schedule.delay", "is no duration"),
        ("nodes/1/schedule/delay", "-P1D", "nodes[1].schedule.delay", "is negative"),
        ("nodes/1/schedule/delay", "P2Y", "nodes[1].schedule.delay", "is too long"),
        ("nodes/1/schedule/at", "2026-03-01T09:00:00", "nodes[1].schedule.at", "has no offset"),
        ("nodes/1/schedule/at", "9999-12-31T23:59:59Z", "nodes[1].schedule.at", "is too far away"),
        ("nodes/1/schedule/at", "tomorrow", "nodes[1].schedule.at", "is no RFC 3339 time"),
        ("nodes/3/schedule", {"delay": "PT1H"}, "nodes[3].schedule", "only for nodes that send"),
        ("nodes/3/body", "Bye", "nodes[3].body", "only for nodes that send"),
        ("nodes/3/transitions", [on("opened", "welcome")], "nodes[3].transitions", "leads nowhere"),
        (
            "nodes/0/transitions/1/on",
            "open",
            "nodes[0].transitions[1].on",
            "did you mean 'opened'?",
        ),
        (
            "nodes/0/transitions/1/on",
            "blocked",
            "nodes[0].transitions[1].on",
            "counts as 'bounced'",
        ),
        (
            "nodes/0/transitions/1/to",
            "followup",
            "nodes[0].transitions[1].to",
            "did you mean 'follow-up'?",
        ),
        ("nodes/0/transitions/2/after", "PT", "nodes[0].transitions[2].after", "is no duration"),
        ("nodes/0/transitions/2/after", "PT0S", "nodes[0].transitions[2].after", "takes no time"),
        (
            "nodes/0/transitions/2/within",
            "PT1H",
            "nodes[0].transitions[2].within",
            "give 'after' instead",
        ),
        (
            "nodes/0/transitions/2/wihtin",
            "PT1H",
            "nodes[0].transitions[2].wihtin",
            "did you mean 'within'?",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_path(path: str, value: Any, where: str, message: str) -> None:
    found = errors(changed(path, value))
    assert where in found
    assert message in found[where]


@pytest.mark.parametrize("raw", [None, [], "plan", 3])
def test_what_is_no_object_is_told(raw: Any) -> None:
    assert list(errors(raw)) == [""]


def test_within_and_after_exclude_each_other() -> None:
    raw = changed("nodes/0/transitions/0", on("clicked", "end", within="P2D", after="PT1H"))
    assert errors(raw) == {
        "nodes[0].transitions[0].after": "is given beside 'within'; give one of the two"
    }


def test_everything_that_is_wrong_is_told_at_once() -> None:
    raw = examples.welcome() | {"strat": "welcome"}
    raw["nodes"][0]["transitions"][0]["within"] = "1 hour"
    raw["nodes"][0]["transitions"][1]["to"] = "nowhere"
    raw["nodes"][2]["subject"] = "{{ company }}"
    assert set(errors(raw)) == {
        "strat",
        "nodes[0].transitions[0].within",
        "nodes[0].transitions[1].to",
        "nodes[1]",
        "nodes[2].subject",
    }
    with pytest.raises(plans.InvalidPlan) as refused:
        plans.read(raw)
    assert len(refused.value.problems) == 5
    assert "nodes[1]: nothing leads to the node 'follow-up'" in str(refused.value)


def test_a_way_round_needs_a_wait_node() -> None:
    back = plan(send("a", on("no_open", "b")), send("b", on("opened", "a"), on("no_open", "stop")))
    assert errors(back) == {
        "nodes[1].transitions[0].to": "leads round without a wait node: a → b → a"
    }
    itself = plan(send("a", on("no_open", "a")))
    assert "a → a" in errors(itself)["nodes[0].transitions[0].to"]
    waits = plan(send("a", on("no_open", "b")), wait("b", on("no_open", "a"), on("opened", "stop")))
    found = warnings(waits)
    assert found["nodes[0]"].startswith("contacts can come back here")


def test_nobody_is_sent_anything_after_an_unsubscribe_or_a_complaint() -> None:
    for event in ("unsubscribed", "spam_report", "spamreport"):
        raw = plan(send("a", on(event, "w")), wait("w", on("no_open", "b")), send("b"))
        assert errors(raw) == {
            "nodes[0].transitions[0].to": "leads to the send node 'b'; nothing is sent after "
            + event.replace("spamreport", "spam_report")
        }
        assert errors(plan(send("a", on(event, "w")), wait("w", on("no_open", "stop")))) == {}


def sms(name: str, *transitions: Row, **more: Any) -> Row:
    text = {"id": name, "channel": "sms", "action": "send", "body": "Hello"}
    return text | {"transitions": list(transitions)} | more


def test_what_a_channel_cannot_tell_leads_nowhere() -> None:
    assert errors(plan(sms("a", on("opened", "stop"), on("no_open", "stop")))) == {
        "nodes[0].transitions[0].on": "sms does not tell of 'opened'",
        "nodes[0].transitions[1].on": "sms does not tell of 'opened'",
    }
    behind = plan(sms("a", on("delivered", "w")), wait("w", on("no_open", "stop")))
    assert list(errors(behind)) == ["nodes[1].transitions[0].on"]
    assert set(errors(plan(sms("a", subject="Hi", text="Hello")))) == {
        "nodes[0].subject",
        "nodes[0].text",
    }


def test_what_a_sender_does_not_report_is_told() -> None:
    raw = plan(
        send("a", on("delivered", "w"), on("opened", "w")),
        wait("w", on("bounced", "stop"), on("no_open", "s")),
        sms("s", on("delivered", "stop")),
    )
    smtp = frozenset({"opened", "clicked", "replied", "unsubscribed"})
    read = plans.read(raw)
    assert [str(one) for one in plans.unreportable(read, {"email": smtp})] == [
        "nodes[0].transitions[0].on: email does not tell of 'delivered'",
        "nodes[1].transitions[0].on: email does not tell of 'bounced'",
    ]
    everything = smtp | {"delivered", "bounced"}
    assert plans.unreportable(read, {"email": everything, "sms": everything}) == []


def test_what_may_not_be_meant_so_is_a_warning() -> None:
    assert warnings(plan(wait("w", on("opened", "stop"), on("no_open", "stop")))) == {
        "nodes": "no node sends anything",
        "nodes[0].transitions[0]": "is never taken: no message was sent before",
    }
    assert warnings(plan(send("a"))) == {}
    assert (
        "add no_open or no_click"
        in warnings(plan(send("a", on("opened", "stop"))))["nodes[0].transitions"]
    )
    assert warnings(plan(send("a", on("delivered", "stop"), on("no_click", "stop")))) == {
        "nodes[0].transitions": "contacts who click stay here; add 'clicked'"
    }
    twice = (on("opened", "stop"), on("opened", "stop", within="PT1H"), on("no_open", "stop"))
    assert list(warnings(plan(send("a", *twice)))) == ["nodes[0].transitions[1]"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("PT1H"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=4,
)


def places(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(part, (dict, list)):
        return [way]
    items = part.items() if isinstance(part, dict) else enumerate(part)
    return [way, *(place for name, inner in items for place in places(inner, (*way, name)))]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(places(examples.welcome())[1:]), values), min_size=1, max_size=3
    )
)
def test_whatever_is_in_it_a_plan_is_either_taken_or_told_to_be_wrong(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    raw = examples.welcome()
    for (*way, last), value in changes:
        part: Any = raw
        try:
            for step in way:
                part = part[step]
            part[last] = value
        except (TypeError, LookupError):
            continue
    before = deepcopy(raw)
    checked = plans.check(raw)
    assert raw == before
    assert (checked.plan is None) == bool(checked.errors)
    if checked.plan:
        assert plans.read(plans.canonical(checked.plan)) == checked.plan
