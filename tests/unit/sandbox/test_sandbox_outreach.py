"""What recipients find in a message, what they may be told to do, and what SendGrid refuses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.faults import Faults
from pipeline.sandbox.fields import BadField
from pipeline.sandbox.outreach import fetching, reading
from pipeline.sandbox.outreach.inbox import Inbox
from pipeline.sandbox.outreach.recipients import Act, habits_given
from pipeline.sandbox.outreach.sendgrid.batches import body_of
from pipeline.sandbox.outreach.sendgrid.validation import problems
from pipeline.sandbox.store import Store

LEAVE = "http://127.0.0.1:1/u/abc"
ONE_CLICK = {
    "list-unsubscribe": f"<mailto:x@y.example>,<{LEAVE}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@pytest.fixture
def inbox():
    store = Store(":memory:")
    yield store.inbox
    store.close()


def _message(inbox: Inbox, **fields):
    given = {"channel": "email", "provider": "x", "to": "a@b.example", "from_": "c@d.example"}
    found = inbox.message(inbox.deliver(**given | fields))
    assert found is not None
    return found


def test_links_images_and_the_way_out_are_found(inbox):
    html = (
        '<img src="http://127.0.0.1:1/o/x"><img src="cid:logo"><a name="top">'
        '<A HREF="https://x.example/?a=1&amp;b=2">x</A>'
        f'<a href="{LEAVE}-other-token">leave</a><a href="mailto:me@x.example">me</a>'
    )
    message = _message(inbox, html=html, headers=ONE_CLICK)
    assert reading.images(message) == ["http://127.0.0.1:1/o/x"]
    assert reading.links(message) == ["https://x.example/?a=1&b=2"]
    assert reading.one_click(message) == LEAVE
    text = _message(inbox, text="See https://x.example/1, or (http://y.example/2).")
    assert reading.links(text)[1] == "http://y.example/2"
    assert reading.one_click(text) is None
    without_post = {"List-Unsubscribe": f"<{LEAVE}>"}
    assert reading.one_click(_message(inbox, headers=without_post)) is None


@given(st.text())
def test_any_text_can_be_read(html):
    store = Store(":memory:")
    message = _message(store.inbox, html=html)
    assert all(url.startswith("http") for url in reading.links(message) + reading.images(message))
    store.close()


@pytest.mark.parametrize(
    "url",
    ["https://x.example/", "http://10.0.0.1/", "ftp://127.0.0.1/", "http://127.0.0.1.x.example"],
)
def test_nothing_is_fetched_from_elsewhere(url):
    class Nobody:
        def __getattr__(self, name):
            raise AssertionError("somebody was asked")

    assert fetching.get(Nobody(), url, "agent", 1) == fetching.NOT_HERE
    assert fetching.unsubscribe(Nobody(), url, 1) == fetching.NOT_HERE


def test_habits_are_of_the_address_or_of_the_newest_pattern(inbox):
    people = inbox.recipients
    people.put("*@x.example", habits_given({"opens_after": 1}))
    people.put("a*@x.example", habits_given({"opens_after": 2}))
    people.put("Ada@x.example", habits_given({}))
    assert people.habits("bob@x.example").opens_after == 1
    assert people.habits("ann@X.example").opens_after == 2
    assert people.habits("ada@x.example").opens_after is None
    people.put("*@x.example", habits_given({"opens_after": 3, "clicks_after": 0}))
    acts = [act for _, act, _ in people.habits("ann@x.example").acts]
    assert acts == [Act.OPEN, Act.CLICK]


@pytest.mark.parametrize(
    ("habits", "field"),
    [
        ({"opens": 1}, "habits.opens"),
        ({"opens_after": -1}, "habits.opens_after"),
        ({"opens_after": "1"}, "habits.opens_after"),
        ({"clicks_link": 0.5}, "habits.clicks_link"),
        ({"arrival": "vanished"}, "habits.arrival"),
        ({"unsubscribes_by": "spam"}, "habits.unsubscribes_by"),
    ],
)
def test_wrong_habits_are_refused_by_field(habits, field):
    with pytest.raises(BadField, match=field):
        habits_given(habits)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "drop", "params": {"when": "sometimes"}},
        {"kind": "push_forge", "params": {"how": "wrong_audience"}},
        {"kind": "push_split", "params": {"seconds": 1}},
    ],
)
def test_wrong_faults_are_refused(rule):
    with pytest.raises(BadField, match=r"params\."):
        Faults().add(rule)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_PERSON = st.fixed_dictionaries({}, optional={"email": _JSON, "name": _JSON}) | _JSON
_PERSONALIZATION = st.fixed_dictionaries(
    {}, optional={"to": st.lists(_PERSON) | _JSON, "headers": _JSON, "custom_args": _JSON}
)
_NAMES = ("from", "subject", "content", "categories", "headers", "custom_args", "reply_to")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "personalizations": st.lists(_PERSONALIZATION | _JSON) | _JSON,
            **dict.fromkeys(_NAMES, _JSON),
        },
    )
)
def test_any_request_is_checked_without_a_crash(body):
    assert problems(body)


@given(st.lists(st.dictionaries(st.text(), st.integers()), min_size=1))
def test_a_batch_is_json_with_line_ends_of_its_own(events):
    body = body_of([json.dumps(event) for event in events])
    assert json.loads(body) == events
    assert body.endswith(b"]\r\n")
