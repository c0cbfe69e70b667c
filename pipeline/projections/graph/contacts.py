"""Google Contacts in the graph.

Persons: https://developers.google.com/people/api/rest/v1/people#Person
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from unicodedata import normalize

from pipeline.projections.graph.addresses import normalise
from pipeline.projections.graph.fields import (
    flag,
    integer,
    is_primary,
    mapping,
    mappings,
    moment,
    name,
    names,
    present,
    primary_first,
    text,
)
from pipeline.projections.graph.model import Drawing, Edge, NodeId, Properties, Shape

FIELDS: tuple[str, ...] = (
    "names", "nicknames", "emailAddresses", "phoneNumbers", "organizations", "birthdays",
    "biographies", "metadata.sources",
)  # fmt: skip


def contact(node: NodeId, _parent_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a person."""
    return Drawing(node, _contact(item), [*_addresses(item), *_employers(item)])


SHAPES: tuple[Shape, ...] = (Shape("connections", "Contact", contact),)


def _contact(item: dict[str, Any]) -> Properties:
    called = _primary(item, "names")
    phones = mappings(item.get("phoneNumbers"))
    return present(
        name=name(called.get("displayName")) or name(called.get("unstructuredName")),
        given_name=name(called.get("givenName")),
        family_name=name(called.get("familyName")),
        nickname=name(_primary(item, "nicknames").get("value")),
        phones=names([phone.get("canonicalForm") or phone.get("value") for phone in phones]),
        birthday=_birthday(mapping(_primary(item, "birthdays").get("date"))),
        note=text(_primary(item, "biographies").get("value")),
        updated_at=_updated_at(item),
    )


def _primary(item: dict[str, Any], field: str) -> dict[str, Any]:
    return next(iter(primary_first(item.get(field))), {})


def _birthday(date: dict[str, Any]) -> str | None:
    """Return a day as `1990-05-17`, or as `--05-17` (ISO 8601:2000) if the year is not known."""
    year, month, day = (integer(date.get(part)) for part in ("year", "month", "day"))
    if month not in range(1, 13) or day not in range(1, 32):
        return None
    known = year is not None and 0 < year < 10_000
    return f"{f'{year:04}' if known else '-'}-{month:02}-{day:02}"


def _updated_at(item: dict[str, Any]) -> datetime | None:
    sources = mappings(mapping(item.get("metadata")).get("sources"))
    times = [found for source in sources if (found := moment(source.get("updateTime")))]
    return max(times, default=None)


def _addresses(item: dict[str, Any]) -> list[Edge]:
    edges: dict[str, Edge] = {}
    for entry in primary_first(item.get("emailAddresses")):
        address = normalise(entry.get("value"))
        if address is not None and address not in edges:
            properties = present(kind=name(entry.get("type")), primary=flag(is_primary(entry)))
            edges[address] = Edge("HAS_ADDRESS", address, properties)
    return list(edges.values())


def _employers(item: dict[str, Any]) -> list[Edge]:
    edges: dict[str, Edge] = {}
    for entry in primary_first(item.get("organizations")):
        written = name(entry.get("name"))
        key = organization_key(written) if written else None
        if key and key not in edges:
            properties = present(
                name=written,
                title=name(entry.get("title")),
                department=name(entry.get("department")),
                current=flag(entry.get("current")),
            )
            edges[key] = Edge("WORKS_AT", key, properties)
    return list(edges.values())


def organization_key(written: str) -> str:
    """Return one spelling for the ways to write an organization's name."""
    return normalize("NFC", normalize("NFC", written).casefold()).strip()
