"""Server-sent events: one look for all who watch the same, and an end in time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from browsers import browser, signed_in

from pipeline.web import live
from pipeline.web.live import Hub, Topic, event
from pipeline.web.pages import NotFound, Page, Visit


class Counted(Page):
    """A page that says how often it was rendered."""

    looks = 0
    gone = False

    def live(self, visit: Visit) -> str:
        Counted.looks += 1
        if Counted.gone:
            raise NotFound("gone")
        return f"<p>look {Counted.looks} for a {visit.principal.role}</p>"


def nothing(_visit: Visit) -> Mapping[str, Any]:
    return {}


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    monkeypatch.setattr(Counted, "looks", 0)
    monkeypatch.setattr(Counted, "gone", False)
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.5)
    return Topic(Counted("counted", "Counted", nothing, "viewer", "x", 0.1), (), "", "viewer")


async def _all(hub: Hub, topic: Topic) -> list[str]:
    return [one async for one in hub.follow(topic)]


def test_many_who_watch_the_same_cost_one_look(topic: Topic) -> None:
    async def watch() -> list[list[str]]:
        hub = Hub()
        return await asyncio.gather(*(_all(hub, topic) for _ in range(20)))

    streams = asyncio.run(watch())
    assert Counted.looks <= 7
    for stream in streams:
        assert stream[0] == "retry: 1000\n\n"
        assert stream[1].startswith("event: live\ndata: <p>look 1 for a viewer</p>")


def test_nobody_who_watches_means_no_more_looks(topic: Topic) -> None:
    async def watch() -> tuple[int, int, int]:
        hub = Hub()
        await _all(hub, topic)
        after = Counted.looks
        await asyncio.sleep(0.3)
        return after, Counted.looks, hub.streams

    after, later, streams = asyncio.run(watch())
    assert later - after <= 1  # one that was under way
    assert streams == 0


def test_who_watches_what_is_gone_is_told_so(topic: Topic) -> None:
    Counted.gone = True
    assert asyncio.run(_all(Hub(), topic))[-1] == event("gone", "")


def test_a_fragment_of_many_lines_arrives_whole() -> None:
    assert event("live", "a\nb\n\nc") == "event: live\ndata: a\ndata: b\ndata: \ndata: c\n\n"


def test_a_stream_is_of_the_page_that_was_asked_for(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAM_SECONDS", 1.0)
    client = signed_in("viewer")
    with client.stream("GET", "/admin/live?page=%2Fadmin%2Fworkers") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "No worker is running" in "".join(response.iter_text())


def test_there_is_no_stream_of_anything_else(stores: None) -> None:
    client = signed_in("viewer")
    for address in ("", "/admin", "/admin/sign-in", "/healthz", "/admin/nowhere"):
        headers = {"Accept": "text/event-stream"}
        response = client.get("/admin/live", params={"page": address}, headers=headers)
        assert response.status_code == 404, address


def test_without_a_session_nothing_is_streamed(stores: None) -> None:
    response = browser().get("/admin/live?page=%2Fadmin%2Fworkers")
    assert response.status_code in (303, 401)
