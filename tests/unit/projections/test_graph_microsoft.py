"""What a mail at Microsoft looks like in the graph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.projections.graph.changes import change_of
from pipeline.projections.graph.model import MOMENTS, Drawing, Edge, NodeId


def draw(folder: str = "inbox", **item: Any) -> Drawing:
    change = change_of("microsoft_mail", f"messages/{folder}", "AAk=", {"id": "AAk=", **item})
    assert change is not None
    assert change.drawing is not None
    return change.drawing


def person(address: Any, name: Any = None) -> dict[str, Any]:
    return {"emailAddress": {"name": name, "address": address}}


def test_a_mail_is_the_same_node_in_whatever_folder_it_is() -> None:
    assert draw("a").node == draw("b").node == NodeId("Mail", "AAk=")
    assert (draw("a").properties, draw("b").properties) == ({"folder_id": "a"}, {"folder_id": "b"})
    gone = change_of("microsoft_mail", "messages/a", "AAk=", None)
    assert gone is not None
    assert (gone.node, gone.drawing) == (NodeId("Mail", "AAk="), None)


def test_folders_are_not_drawn() -> None:
    assert change_of("microsoft_mail", "folders", "f1", {"id": "f1"}) is None
    assert change_of("microsoft_mail", "messages/", "m1", {"id": "m1"}) is None


def test_what_is_on_the_envelope_is_drawn_with_datetimes() -> None:
    drawn = draw(
        subject="Lunch?",
        bodyPreview="Are you",
        receivedDateTime="2026-03-01T09:30:00Z",
        sentDateTime="2026-03-01T10:29:58+01:00",
        internetMessageId="<1@x.de>",
        categories=["Blue"],
        isRead=True,
        isDraft=False,
        importance="high",
        flag={"flagStatus": "flagged"},
        conversationId="c1",
    )
    assert drawn.properties == {
        "subject": "Lunch?",
        "snippet": "Are you",
        "labels": ["Blue"],
        "folder_id": "inbox",
        "received_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        "received_ms": 1772357400000,
        "sent_at": datetime(2026, 3, 1, 9, 29, 58, tzinfo=UTC),
        "message_id": "<1@x.de>",
        "importance": "high",
        "is_read": True,
        "is_flagged": True,
    }
    assert drawn.edges == [Edge("IN_THREAD", "c1", {})]
    assert {"received_at", "sent_at"} == set(MOMENTS["Mail"])


def test_correspondents_are_addresses_in_one_spelling() -> None:
    drawn = draw(
        **{"from": person("Ada@X.de", "Ada")},
        sender=person("secretary@x.de"),
        toRecipients=[person("bob@x.de", "bob@x.de"), person("BOB@x.de", "Bob"), person("/O=EX")],
        ccRecipients=[person("ada@x.de")],
    )
    assert drawn.edges == [
        Edge("SENT_BY", "ada@x.de", {"name": "Ada"}),
        Edge("SENT_TO", "bob@x.de", {"kind": "to"}),
        Edge("SENT_TO", "ada@x.de", {"kind": "cc"}),
    ]
    assert draw(sender=person("secretary@x.de")).edges == [Edge("SENT_BY", "secretary@x.de", {})]


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
)
_FIELDS = ("from", "sender", "toRecipients", "receivedDateTime", "flag", "categories", "subject")


@given(st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING))
def test_whatever_a_mail_holds_it_can_be_drawn(item: dict[str, Any]) -> None:
    drawn = draw(**item)
    assert all(edge.target for edge in drawn.edges)
    assert None not in drawn.properties.values()
