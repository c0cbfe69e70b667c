"""People: masks, sync tokens and their end, tombstones, renames."""

from __future__ import annotations

from typing import Any

import pytest
from google_client import pages, reason
from googleapiclient.errors import HttpError

CONTACTS = "google_contacts"
FIELDS = "names,emailAddresses,metadata"
DAY_SECONDS = 86_400


def person(given: str, address: str, source: str = "CONTACT") -> dict[str, Any]:
    about = {"metadata": {"primary": True, "source": {"type": source, "id": "1"}}}
    return {
        "names": [about | {"givenName": given, "displayName": given}],
        "emailAddresses": [about | {"value": address}],
        "biographies": [{"value": "A friend", "contentType": "TEXT_PLAIN"}],
    }


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user()
    for number, name in enumerate(("Zoe", "Bob", "Ann")):
        item = person(name, f"{name.lower()}@example.com")
        sandbox.put(user, CONTACTS, "connections", f"people/c{number}", item)
    return user


def listed(google, **params: Any) -> list[dict[str, Any]]:
    asked = {"resourceName": "people/me", "personFields": FIELDS} | params
    return pages(google.people.connections().list, **asked)


def people(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [someone for page in found for someone in page.get("connections", [])]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [someone["resourceName"] for someone in people(found)]


def test_only_the_fields_of_the_mask_are_shown(ada, sign_in):
    found = people(listed(sign_in(ada), personFields="names"))
    assert all(set(someone) == {"resourceName", "etag", "names"} for someone in found)


@pytest.mark.parametrize("mask", ["", "names,nonsense"])
def test_a_mask_is_required_and_checked(ada, sign_in, mask):
    with pytest.raises(HttpError, match="personFields mask") as refused:
        listed(sign_in(ada), personFields=mask)
    assert refused.value.status_code == 400
    assert reason(refused.value) == "INVALID_ARGUMENT"


def test_pages_are_complete_and_know_the_total(ada, sign_in):
    found = listed(sign_in(ada), pageSize=2, requestSyncToken=True)
    assert names(found) == ["people/c0", "people/c1", "people/c2"]
    assert {page["totalItems"] for page in found} == {3}
    assert ["nextSyncToken" in page for page in found] == [False, True]


def test_without_asking_there_is_no_sync_token(ada, sign_in):
    assert "nextSyncToken" not in listed(sign_in(ada))[-1]


def test_people_can_be_sorted_by_name_and_by_change(sandbox, ada, sign_in):
    google = sign_in(ada)
    by_name = listed(google, sortOrder="FIRST_NAME_ASCENDING", pageSize=1)
    assert names(by_name) == ["people/c2", "people/c1", "people/c0"]
    item = person("Zoe", "new@example.com")
    sandbox.put(ada, CONTACTS, "connections", "people/c0", item)
    newest_first = listed(google, sortOrder="LAST_MODIFIED_DESCENDING", pageSize=2)
    assert names(newest_first)[0] == "people/c0"


@pytest.mark.parametrize("size", ["1001", "-3"])
def test_a_page_has_at_most_a_thousand_people(ada, sign_in, size):
    with pytest.raises(HttpError, match="Page size"):
        listed(sign_in(ada), pageSize=int(size))


def test_an_incremental_listing_brings_changes_and_tombstones(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = listed(google, requestSyncToken=True)[-1]["nextSyncToken"]
    sandbox.put(ada, CONTACTS, "connections", "people/c1", person("Bobby", "bob@example.com"))
    sandbox.remove(ada, CONTACTS, "connections", "people/c2")
    found = people(listed(google, requestSyncToken=True, syncToken=token))
    changed, gone = found
    assert changed["names"][0]["givenName"] == "Bobby"
    assert gone["metadata"]["deleted"] is True
    assert set(gone) == {"resourceName", "etag", "metadata"}


def test_a_renamed_contact_tells_its_former_names(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = listed(google, requestSyncToken=True)[-1]["nextSyncToken"]
    for old, new in (("people/c1", "people/c8"), ("people/c8", "people/c9")):
        rename = {"kind": "rename", "source": CONTACTS, "stream": "connections"}
        item = person("Bob", "bob@example.com")
        sandbox.apply(ada, rename | {"item_id": old, "new_item_id": new, "item": item})
    (found,) = people(listed(google, requestSyncToken=True, syncToken=token))
    assert found["resourceName"] == "people/c9"
    assert found["metadata"]["previousResourceNames"] == ["people/c1", "people/c8"]
    in_full = {someone["resourceName"]: someone for someone in people(listed(google))}
    assert "previousResourceNames" not in in_full["people/c9"]["metadata"]


def test_the_tombstone_of_a_renamed_contact_tells_them_too(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = listed(google, requestSyncToken=True)[-1]["nextSyncToken"]
    rename = {"kind": "rename", "source": CONTACTS, "stream": "connections"}
    item = person("Bob", "bob@example.com")
    names_of_bob = {"item_id": "people/c1", "new_item_id": "people/c8"}
    sandbox.apply(ada, rename | names_of_bob | {"item": item})
    sandbox.remove(ada, CONTACTS, "connections", "people/c8")
    (found,) = people(listed(google, requestSyncToken=True, syncToken=token))
    assert found["metadata"]["deleted"] is True
    assert found["metadata"]["previousResourceNames"] == ["people/c1"]


def expired(request) -> None:
    with pytest.raises(HttpError) as refused:
        request()
    assert refused.value.status_code == 400
    assert reason(refused.value) == "EXPIRED_SYNC_TOKEN"
    assert b"FAILED_PRECONDITION" in refused.value.content


def test_a_sync_token_can_be_expired(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = listed(google, requestSyncToken=True)[-1]["nextSyncToken"]
    sandbox.expire_cursors(ada, CONTACTS)
    expired(lambda: listed(google, requestSyncToken=True, syncToken=token))


def test_a_sync_token_dies_seven_days_after_the_full_sync(sandbox, ada, sign_in):
    google = sign_in(ada)
    token = listed(google, requestSyncToken=True)[-1]["nextSyncToken"]
    sandbox.clock(6 * DAY_SECONDS)
    token = listed(google, requestSyncToken=True, syncToken=token)[-1]["nextSyncToken"]
    sandbox.clock(1.1 * DAY_SECONDS)
    expired(lambda: listed(google, requestSyncToken=True, syncToken=token))


def test_parameters_must_stay_as_they_were(ada, sign_in):
    google = sign_in(ada)
    first = listed(google, requestSyncToken=True, pageSize=2)
    token = first[-1]["nextSyncToken"]
    same = {"requestSyncToken": True, "pageSize": 2, "syncToken": token}
    assert listed(google, **same, personFields="metadata,names,emailAddresses")
    for changed in (
        {"personFields": "names"},
        {"pageSize": 3},
        {"sources": "READ_SOURCE_TYPE_CONTACT"},
    ):
        with pytest.raises(HttpError, match="must match the first call"):
            listed(google, **(same | changed))
    with pytest.raises(HttpError, match="must match the first call"):
        listed(google, pageSize=1, pageToken=first[0]["nextPageToken"])


def test_a_forged_token_is_an_invalid_argument(ada, sign_in):
    with pytest.raises(HttpError) as refused:
        listed(sign_in(ada), syncToken="nonsense")
    assert reason(refused.value) == "INVALID_ARGUMENT"


def test_profile_data_can_be_left_out(sandbox, ada, sign_in):
    item = person("Pro", "pro@example.com", source="PROFILE")
    item["names"].append(person("Con", "x@example.com")["names"][0])
    sandbox.put(ada, CONTACTS, "connections", "people/c7", item)
    contacts = people(listed(sign_in(ada), sources="READ_SOURCE_TYPE_CONTACT"))
    found = next(someone for someone in contacts if someone["resourceName"] == "people/c7")
    assert [name["givenName"] for name in found["names"]] == ["Con"]
    assert "emailAddresses" not in found


def test_people_can_be_got_alone_and_together(ada, sign_in):
    google = sign_in(ada)
    one = google.people.get(resourceName="people/c0", personFields="names").execute()
    assert one["names"][0]["givenName"] == "Zoe"
    with pytest.raises(HttpError) as refused:
        google.people.get(resourceName="people/c99", personFields="names").execute()
    assert refused.value.status_code == 404
    together = google.people.getBatchGet(
        resourceNames=["people/c1", "people/c99"], personFields="names"
    ).execute()["responses"]
    assert [answer["httpStatusCode"] for answer in together] == [200, 404]
    me = google.people.get(resourceName="people/me", personFields="emailAddresses").execute()
    assert me["emailAddresses"][0]["value"] == f"{ada}@sandbox.example"
