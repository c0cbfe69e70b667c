"""What the tests of the pages about jobs share: how answers are read, and stores that fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

from starlette.testclient import TestClient

from pipeline.web.stores import prober

HX = {"HX-Request": "true"}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "wbr":  # where a word may be broken, it goes on
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(html: str) -> str:
    """Return what a person reads, with single blanks."""
    parser = _Words()
    parser.feed(html)
    return " ".join("".join(parser.words).split())


def read(client: TestClient, url: str) -> str:
    """Return what a person reads on a page that must be there."""
    response = client.get(url)
    assert response.status_code == 200, words(response.text)
    return words(response.text)


def act(client: TestClient, url: str, **fields: str | list[str]) -> tuple[int, str]:
    """Press a button; return the status and what the notice says."""
    response = client.post(url, data=fields, headers=HX)
    told = json.loads(response.headers.get("HX-Trigger", '{"notice": {"text": ""}}'))
    return response.status_code, told["notice"]["text"]


@contextmanager
def asked_anew() -> Iterator[None]:
    """Let nobody rely on how the stores were before."""
    prober.cache_clear()
    try:
        yield
    finally:
        prober.cache_clear()
