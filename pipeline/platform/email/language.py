"""The language of mail templates: Jinja2 in its sandbox, and MJML.

What a template can take, of time and memory, is bounded by its length and by what it is filled
with: there are no ranges, no products of texts, and only filters that make little of much.
https://jinja.palletsprojects.com/en/stable/sandbox/
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mrml
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.refusals import Refused

MOST_CHARACTERS = 500_000
#: RFC 5322, section 2.1.1, allows 998 characters in a line.
MOST_IN_SUBJECT = 900
_FILTERS = (
    *("capitalize", "d", "default", "e", "escape", "first", "float", "int", "last", "length"),
    *("lower", "round", "striptags", "title", "trim", "truncate", "upper", "urlencode"),
)
_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr),
    *(nodes.Filter, nodes.Test, nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.Not, nodes.And, nodes.Or, nodes.Concat, nodes.For, nodes.Keyword, nodes.Neg),
)
#: What values may bring and no XML can hold: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TAG = re.compile(r"</?(mj[a-z-]*)")
#: https://documentation.mjml.io/#standard-components; files of others are not included.
_MJML = frozenset(
    (
        *("mjml", "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint"),
        *("mj-font", "mj-html-attributes", "mj-selector", "mj-html-attribute", "mj-preview"),
        *("mj-style", "mj-title", "mj-accordion", "mj-accordion-element", "mj-accordion-text"),
        *("mj-accordion-title", "mj-button", "mj-carousel", "mj-carousel-image", "mj-column"),
        *("mj-divider", "mj-group", "mj-hero", "mj-image", "mj-navbar", "mj-navbar-link"),
        *("mj-raw", "mj-section", "mj-social", "mj-social-element", "mj-spacer", "mj-table"),
        *("mj-text", "mj-wrapper"),
    )
)


@dataclass(frozen=True, slots=True)
class Written:
    """A mail as it is read.  Without `html` it is plain text."""

    subject: str
    html: str | None
    text: str


def _language(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    language = ImmutableSandboxedEnvironment(
        autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    language.globals.clear()
    language.filters = {name: language.filters[name] for name in _FILTERS}
    return language


_PLAIN, _HTML = _language(autoescape=False), _language(autoescape=True)


def filled(field: str, source: str, values: Mapping[str, Any], *, is_html: bool = False) -> str:
    """Return a template filled.  Raises Refused that names `field`, and the line if it can."""
    parts, length = [], 0
    try:
        for part in _compiled(field, source, is_html=is_html).generate(values):
            parts.append(part)
            length += len(part)
            if length > MOST_CHARACTERS:
                raise Refused(field, f"it becomes more than {MOST_CHARACTERS:,} characters")
    except UndefinedError as error:
        known = ", ".join(sorted(values))
        raise Refused(field, f"{error.message}; there are {known}") from None
    except (TypeError, ValueError, ArithmeticError, SecurityError) as error:
        # Its text may quote what the template is filled with.
        raise Refused(field, f"it cannot be filled ({type(error).__name__})") from None
    return "".join(parts)


def html_of_mjml(field: str, source: str) -> str:
    """Return MJML as HTML.  Raises Refused that names what is wrong with it."""
    for found in _TAG.finditer(source):
        if found[1] not in _MJML:
            line = source.count("\n", 0, found.start()) + 1
            raise Refused(field, f"line {line}: there is no <{found[1]}> in MJML")
    try:
        return str(mrml.to_html(_NOT_XML.sub("", source)).content)
    except OSError as error:
        raise Refused(field, f"it cannot be read as MJML: {error}") from None


def one_line(text: str) -> str:
    """Return a subject without line ends, behind which other headers could be smuggled in."""
    visible = (" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)
    line = " ".join("".join(visible).split())
    if not line:
        raise Refused("subject", "it is empty")
    return line[:MOST_IN_SUBJECT]


@lru_cache(maxsize=512)
def _compiled(field: str, source: str, *, is_html: bool) -> Template:
    language = _HTML if is_html else _PLAIN
    try:
        for node in language.parse(source).find_all(nodes.Node):
            if type(node) not in _NODES:
                what = type(node).__name__.lower()
                raise Refused(field, f"line {node.lineno}: {what} is not for mail")
        return language.from_string(source)
    except TemplateSyntaxError as error:
        raise Refused(field, f"line {error.lineno}: {error.message}") from None
    except (RecursionError, SyntaxError, MemoryError):
        raise Refused(field, "too much is nested in this template") from None
