"""Live updates by server-sent events: one producer per page, query and role, for all who look.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route
from starlette.types import Scope

from pipeline.web.access import Principal, Role, principal_of
from pipeline.web.pages import NotFound, Page, PageRoute, Visit, refused
from pipeline.web.paths import KeepSlashes

log = logging.getLogger(__name__)

#: A stream ends after this; the browser comes again, and is asked again who it is.
STREAM_SECONDS = 30.0
#: More tabs than this at once are refused: each holds a connection.
MOST_STREAMS = 500
_RETRY_MS = 1000
#: The pause after a look is at least so many times as long as the look took, but no longer
#: than this: after 15 seconds without a word, browsers say that the page is stale.
_REST = 10
_LONGEST_REST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Topic:
    """What is produced once for all who look at it."""

    page: Page
    path: tuple[tuple[str, str], ...]
    query: str
    role: Role

    def render(self) -> str:
        """Return the page's changing part as it is now."""
        return self.page.live(
            Visit(Principal("", self.role), dict(self.path), QueryParams(self.query))
        )


@dataclass(slots=True, eq=False)
class Feed:
    """The newest rendering of one topic.  `number` grows with every look, `changed` with news."""

    topic: Topic
    html: str = ""
    number: int = 0
    changed: int = 0
    lost: bool = False
    viewers: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def produce(self) -> None:
        """Look every few seconds, as long as somebody does."""
        loop = asyncio.get_running_loop()
        while not self.lost:
            began = loop.time()
            try:
                html = await run_in_threadpool(self.topic.render)
            except NotFound:
                self.lost, html = True, self.html
            except Exception:
                log.exception("live update failed", extra={"page": self.topic.page.name})
                html = self.html
            async with self.news:
                self.number += 1
                if html != self.html:
                    self.html, self.changed = html, self.number
                self.news.notify_all()
            # A slow one, such as a search through all jobs, must not keep a store busy.
            rest_seconds = max(self.topic.page.seconds, _REST * (loop.time() - began))
            await asyncio.sleep(min(rest_seconds, _LONGEST_REST_SECONDS))

    async def after(self, number: int, within_seconds: float) -> int:
        """Wait for a look later than look `number`, and return which.  Raises TimeoutError."""
        async with self.news, asyncio.timeout(within_seconds):
            await self.news.wait_for(lambda: self.number > number or self.lost)
        return self.number


class Hub:
    """All feeds of this process."""

    def __init__(self) -> None:
        self._feeds: dict[Topic, tuple[Feed, asyncio.Task[None]]] = {}
        self.streams = 0

    async def follow(self, topic: Topic) -> AsyncIterator[str]:
        """Yield events until the stream's time is up."""
        feed = self._join(topic)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + STREAM_SECONDS
        try:
            yield f"retry: {_RETRY_MS}\n\n"
            number = changed = 0
            with suppress(TimeoutError):
                while not feed.lost:
                    number = await feed.after(number, ends_at - loop.time())
                    news, changed = feed.changed > changed, feed.changed
                    yield event("live", feed.html) if news else event("beat", "")
                yield event("gone", "")
        finally:
            self._leave(feed)

    def _join(self, topic: Topic) -> Feed:
        if topic not in self._feeds:
            feed = Feed(topic)
            self._feeds[topic] = feed, asyncio.create_task(feed.produce())
        feed = self._feeds[topic][0]
        feed.viewers += 1
        self.streams += 1
        return feed

    def _leave(self, feed: Feed) -> None:
        feed.viewers -= 1
        self.streams -= 1
        if not feed.viewers:
            _, task = self._feeds.pop(feed.topic)
            task.cancel()


def event(name: str, data: str) -> str:
    """Return one event; each line of the data gets its own field, as the format wants."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


def live_route(pages: list[PageRoute]) -> Route:
    """Return the route of the event stream over `pages`."""
    hub = Hub()

    async def live(request: Request) -> Response:
        principal = principal_of(request)
        topic = await _topic_of(request.query_params.get("page", ""), pages, principal.role)
        if topic is None or not principal.may(topic.page.role):
            return refused(request, 404, "There is no such page to follow.")
        if hub.streams >= MOST_STREAMS:
            return refused(request, 503, "Too many pages are open; close some.")
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold events back
        return StreamingResponse(hub.follow(topic), 200, headers, "text/event-stream")

    return Route("/admin/live", live, methods=["GET"], name="live")


async def _topic_of(address: str, pages: list[PageRoute], role: Role) -> Topic | None:
    parts = urlsplit(address)
    found: list[Topic] = []

    async def match(scope: Scope, *_: object) -> None:
        for route in pages:
            matched, child = route.matches(scope)
            if matched is Match.FULL:
                path = tuple(child["path_params"].items())
                found.append(Topic(route.page, path, parts.query, role))
                return

    raw = parts.path.encode()
    scope: Scope = {"type": "http", "method": "GET", "path": unquote(parts.path), "raw_path": raw}
    await KeepSlashes(match)(scope, None, None)  # type: ignore[arg-type]  # nothing is sent
    return found[0] if found else None
