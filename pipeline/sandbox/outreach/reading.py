"""What a mail program finds in a message: images, links, and where to unsubscribe."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from pipeline.sandbox.outreach.messages import Message

_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_BRACKETED = re.compile(r"<\s*([^<>]+?)\s*>")


class _Page(HTMLParser):
    """Collects what an HTML text refers to, in its order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img" and values.get("src"):
            self.images.append(str(values["src"]))
        elif tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))


def images(message: Message) -> list[str]:
    """The addresses of the images that are loaded when a message is opened."""
    return [url for url in _Page(message.html).images if _is_web(url)]


def links(message: Message) -> list[str]:
    """The links of a message, but those for unsubscribing, in their order."""
    found = _Page(message.html).links if message.html else _URL.findall(message.text)
    leave = one_click(message)
    near = None if leave is None else leave.rpartition("/")[0] + "/"
    return [url for url in found if _is_web(url) and not (near and url.startswith(near))]


def one_click(message: Message) -> str | None:
    """Where one click unsubscribes (https://www.rfc-editor.org/rfc/rfc8058); None without it."""
    if message.header("List-Unsubscribe-Post").strip() != "List-Unsubscribe=One-Click":
        return None
    found = _BRACKETED.findall(message.header("List-Unsubscribe"))
    return next((url for url in found if _is_web(url)), None)


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))
