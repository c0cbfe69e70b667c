"""What `personFields` and `sources` leave of a person."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.calls import Call, dump_json, invalid

FIELDS = frozenset(
    (
        *("addresses", "ageRanges", "biographies", "birthdays", "calendarUrls", "clientData"),
        *("coverPhotos", "emailAddresses", "events", "externalIds", "genders", "imClients"),
        *("interests", "locales", "locations", "memberships", "metadata", "miscKeywords"),
        *("names", "nicknames", "occupations", "organizations", "phoneNumbers", "photos"),
        *("relations", "sipAddresses", "skills", "urls", "userDefined"),
    )
)
_SOURCES = frozenset(
    f"READ_SOURCE_TYPE_{name}" for name in ("PROFILE", "CONTACT", "DOMAIN_CONTACT", "OTHER_CONTACT")
)
_PROFILE = "READ_SOURCE_TYPE_PROFILE"


@dataclass(frozen=True)
class PersonMask:
    """The fields that were asked for, and whether profile data was."""

    fields: frozenset[str]
    with_profile: bool


def mask_of(call: Call) -> PersonMask:
    """The mask of a request.  Raises 400 for a missing, empty or unknown one."""
    text = call.text("personFields") or (call.text("requestMask.includeField") or "").replace(
        "person.", ""
    )
    fields = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not fields:
        raise invalid(
            "personFields mask is required. Please specify one or more valid paths. Valid paths"
            " are documented at"
            " https://developers.google.com/people/api/rest/v1/people.connections/list."
        )
    unknown = sorted(fields - FIELDS)
    if unknown:
        raise invalid(
            f'Invalid personFields mask path: "{unknown[0]}". Valid paths are documented at'
            " https://developers.google.com/people/api/rest/v1/people.connections/list."
        )
    sources = call.many("sources")
    if not set(sources) <= _SOURCES:
        raise invalid("Invalid value at 'sources'.")
    return PersonMask(fields, not sources or _PROFILE in sources)


def shown(mask: PersonMask, body: str, tags: str, former: str | None) -> str:
    """A stored person (JSON) as this mask shows it; `former` is JSON of earlier resource names."""
    have = {tag for tag in tags.strip(",").split(",") if tag}
    profile_free = "#PROFILE" not in have
    complete = have - {"#PROFILE"} <= mask.fields
    is_tombstone = not have
    if not is_tombstone and former is None and complete and (mask.with_profile or profile_free):
        return body
    person: dict[str, Any] = json.loads(body)
    if not mask.with_profile:
        person = _without_profile(person)
    if former is not None:
        person["metadata"] = person["metadata"] | {"previousResourceNames": json.loads(former)}
    always = {"resourceName", "etag"}
    return dump_json(
        {name: value for name, value in person.items() if name in always or name in mask.fields}
    )


def _without_profile(person: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in person.items():
        if isinstance(value, list):
            entries = [entry for entry in value if _source_type(entry) != "PROFILE"]
            if entries:
                kept[name] = entries
        else:
            kept[name] = value
    sources = [source for source in person["metadata"]["sources"] if source["type"] != "PROFILE"]
    kept["metadata"] = person["metadata"] | {"sources": sources}
    return kept


def _source_type(entry: dict[str, Any]) -> str | None:
    found = entry.get("metadata", {}).get("source", {}).get("type")
    return str(found) if found is not None else None
