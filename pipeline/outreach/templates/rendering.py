"""Filling templates: subject, HTML and plain text of one message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import html2text
from jinja2 import UndefinedError
from jinja2.utils import urlize
from markupsafe import Markup, escape

from pipeline.outreach.templates.errors import MissingField, TemplateProblem
from pipeline.outreach.templates.html_parsing import BoundedParser
from pipeline.outreach.templates.language import compiled
from pipeline.outreach.templates.values import noting

#: More than this no provider takes, and nobody reads.
MOST_CHARACTERS = 200_000
#: RFC 5322, section 2.1.1, allows 998 characters in a line.
MOST_IN_SUBJECT = 900
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(\s[^<>]*)?/?>")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
#: SendGrid would lead the link over an address of its own.
#: https://www.twilio.com/docs/sendgrid/ui/account-and-settings/tracking
_FOOT = Markup(
    '<p style="font-size:small;color:#666">{}<a href="{}" clicktracking="off">Unsubscribe</a></p>'
)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class Template(Protocol):
    """What a node of a plan says; `text` is what it says to whoever reads no HTML."""

    @property
    def channel(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def body(self) -> str | None: ...
    @property
    def text(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Content:
    """What a recipient reads.  An SMS has neither subject nor HTML."""

    subject: str
    html: str | None
    text: str


def render(node: Template, values: Mapping[str, Any]) -> Content:
    """Return the message of a send node, filled with `values_of` its contact.

    Mail that does not show the unsubscribe link gets it at its foot, with the postal address.
    Raises MissingField with all fields that are not known of this contact, TemplateProblem if
    the message cannot be written to anybody.
    """
    with noting() as missed:
        content = _sms(node, values) if node.channel == "sms" else _mail(node, values)
    if missed:
        raise MissingField(missed)
    return content


def is_readable(body: str) -> bool:
    """Return whether the body of a mail can be read as HTML, if it is any."""
    try:
        return not _TAG.search(body) or bool(_text_of(body))
    except (AssertionError, TemplateProblem):  # the former is html.parser's, for some <![
        return False


def _sms(node: Template, values: Mapping[str, Any]) -> Content:
    return Content("", None, _filled(node.body, values).strip())


def _mail(node: Template, values: Mapping[str, Any]) -> Content:
    subject = _one_line(_filled(node.subject, values))
    is_html = bool(_TAG.search(node.body or ""))
    body = _filled(node.body, values, is_html=is_html)
    html = body if is_html else _html_of(body)
    text = _text_of(body) if is_html else body
    if node.text:
        text = _filled(node.text, values)
    return Content(subject, _html_foot(html, values), _text_foot(text, values))


def _filled(source: str | None, values: Mapping[str, Any], *, is_html: bool = False) -> str:
    """Return a template filled.  What is missed is noted."""
    parts, length = [], 0
    try:
        for part in compiled(source or "", is_html=is_html).generate(values):
            parts.append(part)
            length += len(part)
            if length > MOST_CHARACTERS:
                raise TemplateProblem(f"the message has more than {MOST_CHARACTERS:,} characters")
    except UndefinedError:
        return ""  # what it was is noted
    except (TypeError, ValueError, ArithmeticError) as error:
        # Its text may quote what is known of the contact.
        raise TemplateProblem(f"the template cannot be filled ({type(error).__name__})") from None
    return "".join(parts)


def _one_line(text: str) -> str:
    """Return a subject without line ends, behind which other headers could be smuggled in."""
    visible = (" " if unicodedata.category(sign) == "Cc" else sign for sign in text)
    line = " ".join("".join(visible).split())
    if len(line) > MOST_IN_SUBJECT:
        raise TemplateProblem(f"the subject has more than {MOST_IN_SUBJECT} characters")
    return line


def _html_of(text: str) -> str:
    """Return plain text as HTML: its paragraphs, its lines, its addresses as links."""
    paragraphs = _BLANK_LINES.split(text.replace("\r\n", "\n").strip())
    linked = (str(urlize(paragraph)).replace("\n", "<br>\n") for paragraph in paragraphs)
    return "\n".join(f"<p>{paragraph}</p>" for paragraph in linked)


class _Reader(BoundedParser, html2text.HTML2Text):
    """Reads HTML as text."""


def _text_of(html: str) -> str:
    """Return HTML as plain text."""
    reader = _Reader(bodywidth=0)
    reader.ignore_images = True
    reader.ignore_emphasis = True
    reader.unicode_snob = True
    return reader.handle(html).strip() + "\n"


def _html_foot(html: str, values: Mapping[str, Any]) -> str:
    url = str(escape(values["unsubscribe_url"]))
    if url in html:
        return html
    address = _postal_address(values)
    foot = _FOOT.format(
        Markup("{}<br>").format(address) if address else "", values["unsubscribe_url"]
    )
    end = _BODY_END.search(html)
    at = end.start() if end else len(html)
    return f"{html[:at]}\n{foot}\n{html[at:]}"


def _text_foot(text: str, values: Mapping[str, Any]) -> str:
    url = values["unsubscribe_url"]
    if url in text:
        return text
    address = _postal_address(values)
    lines = [text.rstrip(), "", "-- ", *([address] if address else []), f"Unsubscribe: {url}", ""]
    return "\n".join(lines)


def _postal_address(values: Mapping[str, Any]) -> str:
    return str(values["tenant"].get("postal_address") or "")
