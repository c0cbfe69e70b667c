"""What of a delta's answers lands: the order counts, and what is partial is read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import Gone, Permanent, RateLimited
from pipeline.sources import SOURCES
from pipeline.sources.base import Page

SOURCE = SOURCES["microsoft_mail"]
INBOX = "messages/inbox"
CURSOR = {"since": "2026-01-01T00:00:00+00:00", "link": "L0"}


def mail(message_id: str = "m1", **changes: Any) -> dict[str, Any]:
    """A mail as Graph gives it when everything was asked for."""
    whole: dict[str, Any] = {
        "@odata.etag": 'W/"1"',
        "id": message_id,
        "changeKey": "1",
        "parentFolderId": "inbox",
        "conversationId": "c1",
        "receivedDateTime": "2026-02-01T00:00:00Z",
        "lastModifiedDateTime": "2026-02-01T00:00:00Z",
        "subject": None,
        "bodyPreview": "",
        **{name: [] for name in ("toRecipients", "ccRecipients", "bccRecipients", "replyTo")},
        **dict.fromkeys(("isRead", "isDraft", "hasAttachments"), False),
        "importance": "normal",
        "flag": {"flagStatus": "notFlagged"},
        "categories": [],
    }
    return whole | changes


def removed(message_id: str) -> dict[str, Any]:
    return {"id": message_id, "@removed": {"reason": "deleted"}}


class Graph:
    """Answers from a list, and reads from a dictionary; what it lacks is gone."""

    def __init__(self, answers: list[Any], mails: Mapping[str, Any] | None = None) -> None:
        self._answers, self._mails = answers, mails or {}
        self.read: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return dict(self._answers.pop(0))

    def batch(
        self,
        method: str,
        params: Sequence[Mapping[str, Any]],
    ) -> list[Any]:
        self.read += [one["id"] for one in params]
        return [self._mails.get(one["id"], Gone("")) for one in params]


def one_page(*entries: Any, mails: Mapping[str, Any] | None = None) -> Page:
    graph = Graph([{"value": list(entries), "@odata.deltaLink": "L1"}], mails)
    [page] = SOURCE.pages(graph, INBOX, CURSOR)
    assert page.cursor == CURSOR | {"link": "L1"}
    return page


def test_the_last_word_about_a_mail_counts() -> None:
    page = one_page(mail("a"), removed("a"), removed("b"), mail("b"), mail("c", subject="1"),
                    mail("c", subject="2"))  # fmt: skip
    assert (page.departed, page.deletions) == ({"a"}, set())
    assert [(i, item.get("subject")) for i, item in page.upserts.items()] == [
        ("b", None),
        ("c", "2"),
    ]


def test_a_partial_update_is_read_whole_wherever_the_mail_is_by_now() -> None:
    now = {"a": mail("a", isRead=True), "b": mail("b", parentFolderId="bills")}
    part = [{"id": name, "isRead": True} for name in "abc"]
    page = one_page(mail("a"), *part, mails=now)
    assert (page.upserts["a"]["isRead"], page.deletions) == (True, {"c"})
    assert SOURCE.home(INBOX, page.upserts["b"]) == "messages/bills"


def test_what_is_kept_has_no_empty_fields_and_few_headers() -> None:
    headers = [{"name": "List-ID", "value": "x"}, {"name": "Received", "value": "y"}]
    page = one_page(mail(internetMessageHeaders=headers, body={"content": "secret"}))
    kept = page.upserts["m1"]
    assert kept["internetMessageHeaders"] == [{"name": "List-ID", "value": "x"}]
    assert not {"subject", "body", "@odata.etag"} & set(kept)
    assert SOURCE.as_landed(INBOX, kept, CURSOR) == kept
    assert "internetMessageHeaders" not in one_page(mail()).upserts["m1"]


def test_mail_from_before_the_window_is_left_out() -> None:
    old = {"receivedDateTime": "2025-12-31T23:59:59Z"}
    assert one_page(mail(**old)).deletions == {"m1"}
    # Of another folder's mail, that folder's window decides, which the engine knows.
    page = one_page({"id": "a"}, mails={"a": mail("a", parentFolderId="bills", **old)})
    assert set(page.upserts) == {"a"}


@pytest.mark.parametrize(
    "broken",
    [{"receivedDateTime": "soon"}, {"receivedDateTime": "2026-02-01T00:00:00"},
     {"parentFolderId": ""}, {"toRecipients": "bob"}],
)  # fmt: skip
def test_what_is_malformed_is_set_aside(broken: dict[str, Any]) -> None:
    page = one_page(mail("a", **broken), mail("b"), {"no": "id"})
    assert [one.item_id for one in page.rejected] == [None, "a"]
    assert set(page.upserts) == {"b"}


def test_a_listing_goes_on_at_its_next_link_and_needs_an_end() -> None:
    first = {"value": [mail("a")], "@odata.nextLink": "L1"}
    start = SOURCE.first_cursor(datetime(2026, 3, 1, tzinfo=UTC))
    pages = list(SOURCE.listing(Graph([first, {"value": [], "@odata.deltaLink": "L2"}]), INBOX,
                                start, None))  # fmt: skip
    assert [(page.resume, page.cursor) for page in pages] == [
        (start | {"link": "L1"}, None),
        (None, start | {"link": "L2"}),
    ]
    with pytest.raises(Permanent, match="carries no link"):
        list(SOURCE.listing(Graph([{"value": []}]), INBOX, start, None))


def test_what_could_not_be_asked_is_not_taken_for_gone() -> None:
    limited = RateLimited("wait", retry_after_seconds=5)
    with pytest.raises(RateLimited):
        SOURCE.departed(Graph([], {"a": limited}), INBOX, {"a", "b"}, CURSOR)
    assert SOURCE.departed(Graph([]), "folders", {"f"}, {}).deletions == {"f"}
