"""What Mail Send refuses, and in which words.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.outreach.sendgrid.errors import Problem

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
_PERSONALIZATIONS, _FROM = "-Personalizations-Errors", "message.from"
_SUBJECT, _CONTENT = "message.subject", "message.content"


def problems(body: Item) -> list[Problem]:
    """Everything that is wrong with a request; nothing if it may be sent."""
    checks = (_personalizations, _from, _subject, _content, _notes, _headers, _template)
    return [problem for check in checks for problem in check(body)]


def _personalizations(body: Item) -> Iterator[Problem]:
    given, field = body.get("personalizations"), "personalizations"
    if not isinstance(given, list) or not given:
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
    total = sum(len(_addresses(entry)) for entry in given if isinstance(entry, dict))
    if total > MOST_RECIPIENTS:
        text = "There is a limit of 1000 total recipients (to + cc + bcc) per request."
        yield Problem(text, field, _PERSONALIZATIONS)


def _personalization(entry: Any, field: str) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        yield Problem("Bad Request")
        return
    if not isinstance(entry.get("to"), list) or not entry["to"]:
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
        seen.add(str(address).lower())


def _addresses(entry: Item) -> list[tuple[str, int, Any]]:
    """(kind, place, address) of everybody that a personalization is for."""
    return [
        (kind, number, person.get("email") if isinstance(person, dict) else None)
        for kind in KINDS
        for number, person in enumerate(entry.get(kind) or ())
    ]


def is_address(value: Any) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _from(body: Item) -> Iterator[Problem]:
    sender = body.get("from")
    if not isinstance(sender, dict) or not sender.get("email"):
        yield Problem(
            "The from object must be provided for every email send. It is an object that"
            " requires the email parameter, but may also contain a name parameter.  e.g."
            ' {"email" : "example@example.com"}  or'
            ' {"email" : "example@example.com", "name" : "Example Recipient"}.',
            *("from.email", _FROM),
        )
    elif not is_address(sender["email"]):
        text = "The from email does not contain a valid address."
        yield Problem(text, "from.email", _FROM)
    for name in ("reply_to",):
        value = body.get(name)
        if value is not None and not (isinstance(value, dict) and is_address(value.get("email"))):
            text = f"The {name} email does not contain a valid address."
            yield Problem(text, f"{name}.email", f"message.{name}")


def _subject(body: Item) -> Iterator[Problem]:
    given = body.get("personalizations")
    entries = given if isinstance(given, list) else []
    own = bool(entries) and all(isinstance(e, dict) and e.get("subject") for e in entries)
    if not body.get("subject") and not own and not body.get("template_id"):
        yield Problem(
            "The subject is required. You can get around this requirement if you use a template"
            " with a subject defined or if every personalization has a subject defined.",
            *("subject", _SUBJECT),
        )


def _content(body: Item) -> Iterator[Problem]:
    given = body.get("content")
    if not isinstance(given, list) or not given:
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
        value = part.get("value") if isinstance(part, dict) else None
        if not isinstance(value, str) or not value:
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
    entries = [body, *(e for e in body.get("personalizations") or () if isinstance(e, dict))]
    for entry in entries:
        custom = entry.get("custom_args") or {}
        if not isinstance(custom, dict):
            yield Problem("The custom_args must be an object.", "custom_args")
        elif len(dump_json(custom).encode()) >= MOST_CUSTOM_BYTES:
            text = f"The custom_args must be less than {MOST_CUSTOM_BYTES:,} bytes."
            yield Problem(text, "custom_args", "message.custom_args")
    names = body.get("categories") or []
    if len(names) > MOST_CATEGORIES:
        text = "You cannot have more than 10 categories per request."
        yield Problem(text, "categories", "message.categories")
    if len(set(names)) < len(names):
        yield Problem("You cannot use duplicate categories.", "categories", "message.categories")
    if any(len(str(name)) > LONGEST_CATEGORY for name in names):
        text = "A category cannot have more than 255 characters."
        yield Problem(text, "categories", "message.categories")


def _headers(body: Item) -> Iterator[Problem]:
    entries = [body, *(e for e in body.get("personalizations") or () if isinstance(e, dict))]
    for entry in entries:
        for name, value in (entry.get("headers") or {}).items():
            if name.lower() in _RESERVED:
                text = f"The header '{name}' is reserved and cannot be overridden."
                yield Problem(text, f"headers.{name}", "message.headers")
            elif not isinstance(value, str) or not name.isascii():
                text = "The headers parameter must be an object of strings."
                yield Problem(text, f"headers.{name}", "message.headers")


def _template(body: Item) -> Iterator[Problem]:
    """This account has no templates."""
    if body.get("template_id"):
        text = (
            "The template_id must be a valid GUID, you provided an invalid GUID"
            f" '{body['template_id']}'."
        )
        yield Problem(text, "template_id", "message.template_id")
