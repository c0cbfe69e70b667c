"""Changes in Google Contacts."""

from collections.abc import Callable

from pipeline.sandbox.changes import Change, Put, Remove, Rename
from pipeline.sandbox.data import contacts
from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.identifiers import contact_number
from pipeline.sandbox.data.people import Person, population
from pipeline.sandbox.mutations.situation import Mutation, Situation

SOURCE = "google_contacts"
STREAM = "connections"
_NEWCOMERS = range(2_000_000, 1_000_000_000)


def _put(contact: Item) -> list[Change]:
    return [Put(SOURCE, STREAM, contact["resourceName"], contact)]


def _newcomer(situation: Situation) -> Person:
    number = situation.random.randrange(_NEWCOMERS.start, _NEWCOMERS.stop)
    return population(situation.persona.seed).person(number)


def _contact_source(contact: Item) -> Item:
    """The source that the user's own edits go to."""
    found: Item = contact["metadata"]["sources"][0]
    return found


def add_contact(situation: Situation) -> list[Change]:
    """Somebody new."""
    person = _newcomer(situation)
    return _put(contacts.contact(situation.persona, person, situation.random))


def _rewrite(situation: Situation, field: str, write: Callable[[Item], list[Item]]) -> list[Change]:
    """Some contact gets other values in a field; `write` makes them for the contact's source."""
    contact = situation.pick(SOURCE, STREAM)
    if contact is None:
        return []
    values = write(_contact_source(contact))
    return [] if contact.get(field) == values else _put({**contact, field: values})


def change_phone(situation: Situation) -> list[Change]:
    """Other telephone numbers."""
    random, like = situation.random, _newcomer(situation)
    return _rewrite(situation, "phoneNumbers", lambda source: contacts.phones(like, random, source))


def change_employer(situation: Situation) -> list[Change]:
    """Another organization and title."""
    random, like = situation.random, _newcomer(situation)
    return _rewrite(
        situation, "organizations", lambda source: contacts.organizations(like, random, source)
    )


def set_birthday(situation: Situation) -> list[Change]:
    """A birthday, with or without a year."""
    random = situation.random
    return _rewrite(situation, "birthdays", lambda source: contacts.birthdays(random, source))


def regroup(situation: Situation) -> list[Change]:
    """Other contact groups."""
    random = situation.random
    return _rewrite(situation, "memberships", lambda source: contacts.memberships(random, source))


def rename_resource(situation: Situation) -> list[Change]:
    """A linking field (an address) is added, and with it the resource name changes.

    Rule: https://developers.google.com/people/api/rest/v1/people#PersonMetadata
    """
    contact = situation.pick(SOURCE, STREAM)
    if contact is None:
        return []
    source = _contact_source(contact)
    added = contacts.emails(_newcomer(situation), situation.random, source)[0]
    added["metadata"] = {"source": source}
    new_name = f"people/c{contact_number(situation.random)}"
    addresses = [*contact.get("emailAddresses", ()), added]
    renamed = {**contact, "resourceName": new_name, "emailAddresses": addresses}
    return [Rename(SOURCE, STREAM, contact["resourceName"], new_name, renamed)]


def delete_contact(situation: Situation) -> list[Change]:
    """A contact goes."""
    contact = situation.pick(SOURCE, STREAM)
    return [Remove(SOURCE, STREAM, contact["resourceName"])] if contact else []


#: How often each change is proposed, by weight.
MIX: dict[Mutation, int] = {
    add_contact: 7, change_phone: 4, change_employer: 3, set_birthday: 2, regroup: 2,
    rename_resource: 1, delete_contact: 4,
}  # fmt: skip
