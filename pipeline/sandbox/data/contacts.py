"""Contacts in the People API's shape.

Shape: https://developers.google.com/people/api/rest/v1/people#Person
"""

from collections.abc import Iterator
from itertools import chain, islice
from random import Random

from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.identifiers import contact_number
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.persona import Persona

_MY_CONTACTS = "myContacts"
_GROUPS = ("friends", "family", "coworkers", "2f3a9c1e8b7d6f05")


def _source(kind: str, identifier: str) -> Item:
    return {"type": kind, "id": identifier}


def _field(source: Item, *, primary: bool = True) -> Item:
    metadata: Item = {"source": source}
    if primary:
        metadata = {"primary": True, "sourcePrimary": True, "source": source}
    return {"metadata": metadata}


def _name(person: Person, source: Item, *, primary: bool) -> Item:
    return {
        **_field(source, primary=primary),
        "displayName": person.display_name,
        "displayNameLastFirst": f"{person.family_name}, {person.given_name}",
        "givenName": person.given_name,
        "familyName": person.family_name,
        "unstructuredName": person.display_name,
    }


def emails(person: Person, random: Random, source: Item) -> list[Item]:
    """One to three addresses; the work address comes first."""
    found: list[Item] = [{**_field(source), "value": person.email, "type": "work"}]
    if random.random() < 0.3:
        private = {"value": person.private_email, "type": "home", "formattedType": "Home"}
        found.append(_field(source, primary=False) | private)
    if random.random() < 0.06:
        shouted = {"value": person.email.title(), "type": "Büro", "formattedType": "Büro"}
        found.append(_field(source, primary=False) | shouted)
    return found


def phones(person: Person, random: Random, source: Item) -> list[Item]:
    """One or two numbers, some with the canonical form."""
    found: list[Item] = [{**_field(source), "value": person.phone, "type": "mobile"}]
    if random.random() < 0.4:
        number = f"+4930555{random.randrange(10**4):04}"
        work = {"value": number, "canonicalForm": number, "type": "work"}
        found.append(_field(source, primary=False) | work)
    return found


def organizations(person: Person, random: Random, source: Item) -> list[Item]:
    """Where the person works, and sometimes where they worked before."""
    now: Item = {"name": person.company.name, "title": person.job, "current": True}
    if random.random() < 0.5:
        now["domain"] = person.company.domain
    found = [_field(source) | now]
    if random.random() < 0.12:
        former: Item = {"name": "Früher & Söhne", "endDate": {"year": 2021, "month": 3, "day": 31}}
        found.append(_field(source, primary=False) | former)
    return found


def birthdays(random: Random, source: Item) -> list[Item]:
    """A birthday; four in ten lack the year."""
    day: Item = {"month": random.randint(1, 12), "day": random.randint(1, 28)}
    if random.random() < 0.6:
        day["year"] = random.randint(1940, 2008)
    return [_field(source) | {"date": day}]


def _addresses(person: Person, source: Item) -> list[Item]:
    home = person.address
    written = f"{home.street}\n{home.postal_code} {home.city}\n{home.country_code}"
    return [
        _field(source)
        | {
            "formattedValue": written,
            "type": "home",
            "streetAddress": home.street,
            "city": home.city,
            "postalCode": home.postal_code,
            "countryCode": home.country_code,
        }
    ]


def memberships(random: Random, source: Item) -> list[Item]:
    """The contact groups; every contact of the user's own is in `myContacts`."""
    groups = [_MY_CONTACTS]
    if random.random() < 0.3:
        groups.append(random.choice(_GROUPS))
    return [
        {
            "metadata": {"source": source},
            "contactGroupMembership": {
                "contactGroupId": group,
                "contactGroupResourceName": f"contactGroups/{group}",
            },
        }
        for group in groups
    ]


def _photos(number: str, random: Random, source: Item) -> list[Item]:
    default = random.random() < 0.6
    url = f"https://lh3.googleusercontent.com/cm/{number[:12]}=s100"
    return [_field(source) | ({"url": url, "default": True} if default else {"url": url})]


def _extras(person: Person, persona: Persona, random: Random, source: Item) -> Item:
    extras: Item = {}
    if random.random() < 0.5:
        extras["organizations"] = organizations(person, random, source)
    if random.random() < 0.6:
        extras["phoneNumbers"] = phones(person, random, source)
    if random.random() < 0.2:
        extras["birthdays"] = birthdays(random, source)
    if random.random() < 0.15:
        extras["addresses"] = _addresses(person, source)
    if random.random() < 0.08:
        note = {"value": random.choice(persona.phrases.sentences), "contentType": "TEXT_PLAIN"}
        extras["biographies"] = [_field(source) | note]
    if random.random() < 0.05:
        extras["nicknames"] = [_field(source) | {"value": person.given_name[:3]}]
    if random.random() < 0.04:
        extras["userDefined"] = [_field(source) | {"key": "Customer.no", "value": "K-1704"}]
    if random.random() < 0.04:
        site = {"value": f"https://{person.company.domain}/", "type": "work"}
        extras["urls"] = [_field(source) | site]
    return extras


def contact(persona: Persona, person: Person, random: Random) -> Item:
    """A person as a contact; some lack a name and have only an address."""
    number = contact_number(random)
    source = _source("CONTACT", f"{int(number) & 0xFFFFFFFFFFFF:x}")
    sources = [source]
    item: Item = {"resourceName": f"people/c{number}"}
    if random.random() < 0.94:
        item["names"] = [_name(person, source, primary=True)]
        if random.random() < 0.1:
            profile = _source("PROFILE", str(random.randrange(10**20, 10**21)))
            sources.append(profile | {"profileMetadata": {"objectType": "PERSON"}})
            item["names"].insert(0, _name(person, profile, primary=False))
        item |= _extras(person, persona, random, source)
    if "names" not in item or random.random() < 0.92:
        item["emailAddresses"] = emails(person, random, source)
    item["photos"] = _photos(number, random, source)
    item["memberships"] = memberships(random, source)
    item["metadata"] = {"sources": sources, "objectType": "PERSON"}
    return item


def contacts(persona: Persona, people: Iterator[Person], count: int) -> Iterator[Item]:
    """`count` contacts: first the circle, then people from `people`."""
    random = persona.random("contacts")
    known = islice(chain(persona.circle, people), count)
    return (contact(persona, person, random) for person in known)
