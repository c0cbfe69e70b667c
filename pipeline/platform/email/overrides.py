"""Templates that a tenant has in place of the built-in ones: every version is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import EmailTemplate, Tenant
from models.email import EMAIL_FORMATS
from pipeline.platform.email.catalog import built_in
from pipeline.platform.email.language import Written, filled, html_of_mjml, one_line
from pipeline.refusals import Refused
from pipeline.stores import Row, collection, mongodb

MOST_TEMPLATE_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class Source:
    """A template as it is written; `version` is 0 for the built-in one."""

    name: str
    version: int
    format: str
    subject: str
    body: str
    text: str


def source_of(tenant_id: str, name: str) -> Source:
    """Return the template that mail of a tenant is written by.  Raises Refused if there is none."""
    row = collection(EmailTemplate).find_one(_key(tenant_id, name) | {"active": True})
    return _source(row) if row is not None else _built_in(name)


def version_of(tenant_id: str, name: str, version: int) -> Source:
    """Return a certain version; 0 is the built-in one.  Raises Refused if there is none."""
    if version == 0:
        return _built_in(name)
    row = collection(EmailTemplate).find_one(_key(tenant_id, name) | {"version": version})
    if row is None:
        raise Refused("version", f"there is no version {version} of {name}")
    return _source(row)


def versions(tenant_id: str, name: str) -> list[Row]:
    """Return all versions that a tenant has had, the newest first, without their bodies."""
    fields = {"body": 0, "text": 0}
    rows = collection(EmailTemplate).find(_key(tenant_id, name), fields)
    return list(rows.sort("version", DESCENDING))


def save(
    tenant_id: str,
    name: str,
    *,
    subject: str,
    body: str,
    text: str = "",
    format: str = "mjml",  # noqa: A002  the word of the API
    based_on: int | None = None,
    by: str,
) -> Source:
    """Keep a new version and use it from now on; return it.

    `based_on` is the version that its writer has seen: Refused if another one is in use by now.
    Raises Refused that names the field, and the line where it can, for what cannot be filled
    with the template's sample values, and for what names anything else.
    """
    newest = next(iter(versions(tenant_id, name)), None)
    number = 1 + (newest["version"] if newest else 0)
    made = Source(name, number, format, subject, body, text)
    render(made, built_in(name).values)
    row = {
        "tenant_id": tenant_id,
        "template": name,
        "version": number,
        "active": True,
        "format": format,
        "subject": subject,
        "body": body,
        "text": text,
        "created_by": by,
        "created_at": datetime.now(UTC),
    }
    _use(tenant_id, name, based_on, row)
    return made


def revert(tenant_id: str, name: str, version: int, *, based_on: int | None = None) -> Source:
    """Use an older version again; 0 is the built-in one, and so resets it.  Raises Refused."""
    found = version_of(tenant_id, name, version)
    _use(tenant_id, name, based_on, version)
    return found


def preview(source: Source, context: Mapping[str, Any] | None = None) -> Written:
    """Return what a template says, with its sample values or those of `context`."""
    return render(source, {**built_in(source.name).values, **(context or {})})


def render(source: Source, values: Mapping[str, Any]) -> Written:
    """Return the mail.  Raises Refused that names the field of the template."""
    if source.format not in EMAIL_FORMATS:
        raise Refused("format", f"expected one of {', '.join(EMAIL_FORMATS)}")
    for field in ("subject", "body", "text"):
        if len(getattr(source, field)) > MOST_TEMPLATE_CHARACTERS:
            raise Refused(field, f"at most {MOST_TEMPLATE_CHARACTERS:,} characters")
    subject = one_line(filled("subject", source.subject, values))
    if source.format == "text":
        return Written(subject, None, filled("body", source.body, values))
    body = filled("body", source.body, values, is_html=True)
    html = html_of_mjml("body", body) if source.format == "mjml" else body
    if not source.text.strip():
        raise Refused("text", "it is empty: not everybody reads HTML")
    return Written(subject, html, filled("text", source.text, values))


def tenant_name(tenant_id: str) -> str:
    """Return what a tenant is called."""
    row = collection(Tenant).find_one({"_id": tenant_id}, {"name": 1}) or {}
    return str(row.get("name") or tenant_id)


def _key(tenant_id: str, name: str) -> Row:
    return {"tenant_id": tenant_id, "template": built_in(name).name}


def _built_in(name: str) -> Source:
    one = built_in(name)
    return Source(name, 0, "mjml", one.subject, one.body, one.text)


def _source(row: Row) -> Source:
    text = row.get("text") or ""
    return Source(row["template"], row["version"], row["format"], row["subject"], row["body"], text)


def _use(tenant_id: str, name: str, based_on: int | None, wanted: Row | int) -> None:
    """Make a version the active one, in one step: a new one, one that there is, or none."""
    rows, key = collection(EmailTemplate), _key(tenant_id, name)

    def write(session: ClientSession) -> None:
        before = rows.find_one_and_update(
            key | {"active": True}, {"$set": {"active": False}}, session=session
        )
        in_use = before["version"] if before else 0
        if based_on is not None and in_use != based_on:
            raise Refused("based_on", f"version {in_use} is in use by now: look at it first")
        if isinstance(wanted, dict):
            rows.insert_one(dict(wanted), session=session)
        elif wanted:
            rows.update_one(key | {"version": wanted}, {"$set": {"active": True}}, session=session)

    try:
        with mongodb().client.start_session() as session:
            session.with_transaction(write)
    except DuplicateKeyError:
        raise Refused("based_on", "somebody else has changed it just now: look first") from None
