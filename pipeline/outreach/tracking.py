"""Has what we send tell us when it is opened and which links are followed.

All but the links stays as it was to the letter: mail programs have their own ideas of HTML,
and whoever wrote a mail has written around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from itertools import accumulate

from pipeline.outreach import links
from pipeline.outreach.templates.html_parsing import BoundedParser

#: An address in plain text; what ends a sentence is not a part of it.
_IN_TEXT = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]}]")
_Attributes = list[tuple[str, str | None]]


def tracked(html: str, message_id: str) -> str:
    """Return HTML whose links lead through us, with a picture that is loaded when it is opened.

    Links to unsubscribe stay, and so does what is not of the web (mailto:, tel:, #…).
    """
    finder = _Finder(html, lambda url: _led_through_us(url, message_id))
    picture = f'<img src="{links.open_url(message_id)}" alt="" width="1" height="1">'
    end = len(html) if finder.body_end is None else finder.body_end
    return _replaced(html, [*finder.anchors, (end, end, picture)])


def tracked_text(text: str, message_id: str) -> str:
    """Return plain text whose links lead through us, but for those to unsubscribe."""
    return _IN_TEXT.sub(lambda found: _led_through_us(found.group(), message_id), text)


def _led_through_us(url: str, message_id: str) -> str:
    return url if links.is_unsubscribe_url(url) else links.click_url(message_id, url)


class _Finder(BoundedParser):
    """Finds the tags of links, and where the body ends."""

    def __init__(self, html: str, lead: Callable[[str], str]) -> None:
        super().__init__()
        self._lead = lead
        self._line_starts = [0, *accumulate(len(line) + 1 for line in html.split("\n"))]
        #: Start, end and new text of each tag.
        self.anchors: list[tuple[int, int, str]] = []
        self.body_end: int | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        """Note a link that leads elsewhere from now on."""
        url = (dict(attrs).get("href") or "").strip()
        lead = self._lead(url) if tag == "a" and url else url
        if lead != url:
            start, written = self._position(), self.get_starttag_text() or ""
            self.anchors.append((start, start + len(written), _anchor(attrs, lead)))

    def handle_endtag(self, tag: str) -> None:
        """Note where the body ends."""
        if tag == "body":
            self.body_end = self._position()

    def _position(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column


def _anchor(attributes: _Attributes, url: str) -> str:
    values = dict(attributes) | {"href": url}
    return f"<a {' '.join(_attribute(name, value) for name, value in values.items())}>"


def _attribute(name: str, value: str | None) -> str:
    return name if value is None else f'{name}="{escape(value)}"'


def _replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """Return `text` with each (start, end, new) put in its place."""
    parts, done = [], 0
    for start, end, new in sorted(changes):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])
