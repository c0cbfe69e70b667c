"""What Mail Send refuses, and in which words.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.outreach.sendgrid.errors import Problem
from pipeline.sandbox.outreach.sendgrid.shapes import REQUEST, misfits

Item = dict[str, Any]

MOST_PERSONALIZATIONS = MOST_RECIPIENTS = 1000
MOST_CUSTOM_BYTES = 10_000
MOST_CATEGORIES, LONGEST_CATEGORY = 10, 255
KINDS = ("to", "cc", "bcc")

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
#: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
_RESERVED = frozenset(
    (
        *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "to", "from"),
        *("content-transfer-encoding", "subject", "reply-to", "cc", "bcc"),
    )
)
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_PERSONALIZATIONS, _FROM = "-Personalizations-Errors", "message.from"
_SUBJECT, _CONTENT = "message.subject", "message.content"


def problems(body: Item) -> list[Problem]:
    """Everything that is wrong with a request; nothing if it may be sent."""
    wrong = list(misfits(body, REQUEST))
    if wrong:
        return wrong
    checks = (_personalizations, _from, _subject, _content, _notes, _headers, _template)
    return [problem for check in checks for problem in check(body)]


def _personalizations(body: Item) -> Iterator[Problem]:
    given, field = body.get("personalizations"), "personalizations"
    if not given:
        yield Problem(
            "The personalizations field is required and must have at least one personalization.",
            *(field, _PERSONALIZATIONS),
        )
        return
    if len(given) > MOST_PERSONALIZATIONS:
        yield Problem(
            "The personalization block is limited to 1000 personalizations per API request. You"
            f" have provided {len(given)} personalizations. Please consider splitting this into"
            " multiple requests and resending your request.",
            *(field, _PERSONALIZATIONS),
        )
        return
    for number, entry in enumerate(given):
        yield from _personalization(entry, f"{field}.{number}")
    total = sum(len(_addresses(entry)) for entry in given)
    if total > MOST_RECIPIENTS:
        text = "There is a limit of 1000 total recipients (to + cc + bcc) per request."
        yield Problem(text, field, _PERSONALIZATIONS)


def _personalization(entry: Item, field: str) -> Iterator[Problem]:
    if not entry.get("to"):
        yield Problem(
            "The to array is required for all personalization objects, and must have at least"
            " one email object with a valid email address.",
            *(f"{field}.to", "message.personalizations.to"),
        )
    seen: set[str] = set()
    for kind, number, address in _addresses(entry):
        where = f"{field}.{kind}.{number}.email"
        if not is_address(address):
            anchor = f"message.personalizations.{kind}"
            yield Problem("Does not contain a valid address.", where, anchor)
        elif address.lower() in seen:
            yield Problem(
                "Each email address in the personalization block should be unique between to,"
                f" cc, and bcc. We found the first duplicate instance of [{address}] in the"
                f" {field}.{kind} field.",
                *(field, "message.recipient-errors"),
            )
        seen.add(address.lower())


def _addresses(entry: Item) -> list[tuple[str, int, str]]:
    """(kind, place, address) of everybody that a personalization is for."""
    return [
        (kind, number, person.get("email", ""))
        for kind in KINDS
        for number, person in enumerate(entry.get(kind, ()))
    ]


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def _from(body: Item) -> Iterator[Problem]:
    address = body.get("from", {}).get("email", "")
    if not address:
        yield Problem(
            "The from object must be provided for every email send. It is an object that"
            " requires the email parameter, but may also contain a name parameter.  e.g."
            ' {"email" : "example@example.com"}  or'
            ' {"email" : "example@example.com", "name" : "Example Recipient"}.',
            *("from.email", _FROM),
        )
    elif not is_address(address):
        text = "The from email does not contain a valid address."
        yield Problem(text, "from.email", _FROM)
    if "reply_to" in body and not is_address(body["reply_to"].get("email", "")):
        text = "The reply_to email does not contain a valid address."
        yield Problem(text, "reply_to.email", "message.reply_to")


def _subject(body: Item) -> Iterator[Problem]:
    entries = body.get("personalizations", [])
    own = bool(entries) and all(entry.get("subject") for entry in entries)
    if not body.get("subject") and not own and not body.get("template_id"):
        yield Problem(
            "The subject is required. You can get around this requirement if you use a template"
            " with a subject defined or if every personalization has a subject defined.",
            *("subject", _SUBJECT),
        )


def _content(body: Item) -> Iterator[Problem]:
    given = body.get("content")
    if not given:
        if not body.get("template_id"):
            yield Problem(
                "Unless a valid template_id is provided, the content parameter is required."
                " There must be at least one defined content block. We typically suggest both"
                " text/plain and text/html blocks are included, but only one block is required.",
                *("content", _CONTENT),
            )
        return
    kinds: list[str] = []
    for number, part in enumerate(given):
        if not part.get("value"):
            text = "The content value must be a string at least one character in length."
            yield Problem(text, f"content.{number}.value", f"{_CONTENT}.value")
            continue
        kinds.append(str(part.get("type")))
    if "text/plain" in kinds[1:]:
        yield Problem(
            "If present, the text/plain content must be first, followed by text/html, followed"
            " by any other content.",
            *("content", _CONTENT),
        )


def _notes(body: Item) -> Iterator[Problem]:
    """Custom args and categories."""
    for entry in (body, *body.get("personalizations", ())):
        custom = entry.get("custom_args", {})
        if len(dump_json(custom).encode()) >= MOST_CUSTOM_BYTES:
            text = f"The custom_args must be less than {MOST_CUSTOM_BYTES:,} bytes."
            yield Problem(text, "custom_args", "message.custom_args")
    names = body.get("categories", [])
    if len(names) > MOST_CATEGORIES:
        text = "You cannot have more than 10 categories per request."
        yield Problem(text, "categories", "message.categories")
    if len(set(names)) < len(names):
        yield Problem("You cannot use duplicate categories.", "categories", "message.categories")
    if any(len(name) > LONGEST_CATEGORY for name in names):
        text = "A category cannot have more than 255 characters."
        yield Problem(text, "categories", "message.categories")


def _headers(body: Item) -> Iterator[Problem]:
    for entry in (body, *body.get("personalizations", ())):
        for name in entry.get("headers", {}):
            if name.lower() in _RESERVED:
                text = f"The header '{name}' is reserved and cannot be overridden."
                yield Problem(text, f"headers.{name}", "message.headers")
            elif not _HEADER_NAME.fullmatch(name):
                text = "The name of a header must be printable ASCII."
                yield Problem(text, f"headers.{name}", "message.headers")


def _template(body: Item) -> Iterator[Problem]:
    """This account has no templates."""
    if body.get("template_id"):
        text = (
            "The template_id must be a valid GUID, you provided an invalid GUID"
            f" '{body['template_id']}'."
        )
        yield Problem(text, "template_id", "message.template_id")
