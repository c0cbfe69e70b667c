"""People v1, read side: connections with sync tokens, single people.

https://developers.google.com/people/api/rest/v1/people.connections/list
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.sandbox.calls import Call, Handler, Method, Reply, dump_json, invalid, not_found
from pipeline.sandbox.listing import BY_REV, BY_REV_DESCENDING, Order, Selection
from pipeline.sandbox.paging import list_rows
from pipeline.sandbox.people_sync import Listing, expired_sync_token, next_sync_token, resume
from pipeline.sandbox.people_view import PersonMask, mask_of, shown
from pipeline.sandbox.stamps import CONTACTS

_AUTH = "https://www.googleapis.com/auth/"
_CONTACT_SCOPES = frozenset((f"{_AUTH}contacts", f"{_AUTH}contacts.readonly"))
_ME_SCOPES = frozenset((f"{_AUTH}userinfo.email", f"{_AUTH}userinfo.profile"))
_MOST_IN_BATCH = 200


def _by_name(name: str) -> Order:
    return Order(f"coalesce(json_extract(body, '$.names[0].{name}'), '')")


_ORDERS = {
    "LAST_MODIFIED_ASCENDING": BY_REV,
    "LAST_MODIFIED_DESCENDING": BY_REV_DESCENDING,
    "FIRST_NAME_ASCENDING": _by_name("givenName"),
    "LAST_NAME_ASCENDING": _by_name("familyName"),
}


def list_connections(call: Call) -> Reply:
    mask = mask_of(call)
    order = _ORDERS.get(call.text("sortOrder") or "LAST_MODIFIED_ASCENDING")
    if order is None:
        raise invalid("Invalid value at 'sort_order'.")
    size = _page_size(call)
    stream_n = _stream(call)
    listing = resume(call, stream_n)
    since = listing.position.since_rev
    if since is None:
        selection = Selection(stream_n, order)
    else:
        selection = Selection(stream_n, BY_REV, "rev > ?", (since,))
    listed = list_rows(call, "body, tags, former", selection, listing.position, size)
    people = [
        shown(mask, body, tags, former if since is not None else None)
        for body, tags, former in listed.rows
    ]
    return Reply.of(_page(call, stream_n, listing, people, listed.next_page_token))


def _page(
    call: Call, stream_n: int, listing: Listing, people: list[str], next_page_token: str | None
) -> str:
    """JSON without the fields that are empty, which is how this API leaves them."""
    total = call.store.count(call.user.user, CONTACTS, "connections")
    parts = [f'"connections":[{",".join(people)}]'] if people else []
    if next_page_token is not None:
        parts.append(f'"nextPageToken":{dump_json(next_page_token)}')
    elif call.flag("requestSyncToken", False):
        parts.append(f'"nextSyncToken":{dump_json(next_sync_token(call, stream_n, listing))}')
    if listing.position.since_rev is None and total:
        parts.append(f'"totalPeople":{total},"totalItems":{total}')
    return "{" + ",".join(parts) + "}"


def _page_size(call: Call) -> int:
    value = call.text("pageSize")
    if value is None or value == "0":
        return 100
    if not value.isdecimal() or not 1 <= int(value) <= 1000:
        raise invalid("Page size must be between 1 and 1000.")
    return int(value)


def get_person(call: Call) -> Reply:
    """`people/me` is the user's own profile."""
    mask = mask_of(call)
    resource_name = f"people/{call.path_values['peopleId']}"
    body = _me(call) if resource_name == "people/me" else _person(call, resource_name, mask)
    if body is None:
        raise not_found()
    return Reply.of(body)


def get_people(call: Call) -> Reply:
    mask, names = mask_of(call), call.many("resourceNames")
    if not names or len(names) > _MOST_IN_BATCH:
        raise invalid(f"The number of resource names must be between 1 and {_MOST_IN_BATCH}.")
    responses = []
    for name in names:
        body = _person(call, name, mask)
        asked = f'"requestedResourceName":{dump_json(name)}'
        if body is None:
            status = '"status":{"code":5,"message":"Requested entity was not found."}'
            responses.append(f'{{"httpStatusCode":404,{asked},{status}}}')
        else:
            responses.append(f'{{"httpStatusCode":200,{asked},"person":{body}}}')
    return Reply.of(f'{{"responses":[{",".join(responses)}]}}')


def _person(call: Call, resource_name: str, mask: PersonMask) -> str | None:
    sql = "SELECT body, tags FROM items WHERE stream_n = ? AND item_id = ? AND live = 1"
    row = call.store.database.row(sql, _stream(call), resource_name)
    return None if row is None else shown(mask, row[0], row[1], None)


def _me(call: Call) -> str:
    source = {"type": "PROFILE", "id": call.user.subject}
    about = {"metadata": {"primary": True, "verified": True, "source": source}}
    person: dict[str, Any] = {
        "emailAddresses": [about | {"value": call.user.email}],
        "names": [about | {"displayName": call.user.user}],
        "metadata": {"sources": [source], "objectType": "PERSON"},
    }
    fields = set(mask_of(call).fields)
    kept = {name: value for name, value in person.items() if name in fields}
    head = {"resourceName": f"people/{call.user.subject}", "etag": f"%me{call.user.n}"}
    return json.dumps(head | kept)


def _stream(call: Call) -> int:
    stream_n = call.store.stream_n(call.user, CONTACTS, "connections")
    assert stream_n is not None  # made with the user
    return stream_n


def _method(name: str, path: str, scopes: frozenset[str], handler: Handler) -> Method:
    return Method("people", name, "GET", path, scopes, handler, expired=expired_sync_token)


METHODS = (
    _method(
        *("people.connections.list", "/v1/people/me/connections"),
        *(_CONTACT_SCOPES, list_connections),
    ),
    _method("people.getBatchGet", "/v1/people:batchGet", _CONTACT_SCOPES, get_people),
    _method("people.get", "/v1/people/{peopleId}", _CONTACT_SCOPES | _ME_SCOPES, get_person),
)
