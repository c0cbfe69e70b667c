"""A browser without scripts: pages, their forms, and what happens when one is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

TIMEOUT_SECONDS = 10


@dataclass
class Form:
    """A form as it stands: its fields, and the names of its buttons."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def untick(self, *boxes: str) -> None:
        """Take the ticks off the boxes with these names or values."""
        missing = set(boxes) - {text for field in self.fields for text in field}
        assert not missing, f"there is no box {missing}"
        self.fields = [field for field in self.fields if set(field).isdisjoint(boxes)]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "button":
            self._button = (given.get("name", ""), given.get("value", ""))
        elif tag == "input" and self.forms and given.get("name"):
            ticked = given.get("type") != "checkbox" or "checked" in given
            if ticked and given.get("type") != "email":
                self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._button is not None and self.forms:
            self.forms[-1].buttons[data.strip()] = self._button
            self._button = None


@dataclass
class Browser:
    """Cookies, and the page that it shows: `answer` is the last one that was no redirect.

    `visited` are the addresses of redirects that it followed.  It goes nowhere but to
    addresses that start with one of `hosts`; another one stops it at the redirect.
    """

    hosts: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    visited: list[str] = field(default_factory=list)
    answer: requests.Response = field(default_factory=requests.Response)

    def open(self, url: str) -> requests.Response:
        """Go to an address, and on to where it redirects."""
        return self._send("GET", url)

    @property
    def forms(self) -> list[Form]:
        """The forms on the page."""
        parser = _Forms()
        parser.feed(self.answer.text)
        return parser.forms

    def form_with(self, button: str) -> Form:
        """The form that has a button with this text."""
        return next(form for form in self.forms if button in form.buttons)

    def press(self, button: str, *untick: str) -> requests.Response:
        """Press a button, with some boxes unticked."""
        form = self.form_with(button)
        form.untick(*untick)
        return self.submit(form, button)

    def submit(self, form: Form, button: str) -> requests.Response:
        """Send a form by a button of it."""
        name, value = form.buttons[button]
        fields = form.fields + ([(name, value)] if name else [])
        url = urljoin(self.answer.url, form.action)
        if form.method == "post":
            return self._send("POST", url, data=fields)
        return self._send("GET", url, params=fields)

    def _send(self, method: str, url: str, **content: list[tuple[str, str]]) -> requests.Response:
        for _ in range(10):
            self.answer = self.session.request(
                method,
                url,
                allow_redirects=False,
                timeout=TIMEOUT_SECONDS,
                headers=self.headers,
                **content,  # type: ignore[arg-type]
            )
            if not self.answer.is_redirect:
                return self.answer
            url = urljoin(url, self.answer.headers["location"])
            self.visited.append(url)
            method, content = "GET", {}
            if not url.startswith(self.hosts):
                return self.answer
        raise AssertionError(f"too many redirects: {self.visited}")
