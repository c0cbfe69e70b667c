"""Who takes part in an event: creator, organizer, attendees, rooms and their answers."""

from random import Random

from pipeline.sandbox.data.event_times import Item
from pipeline.sandbox.data.people import Person
from pipeline.sandbox.data.persona import Persona

#: Google's own values for `responseStatus`.
RESPONSES = ("needsAction", "declined", "tentative", "accepted")
_RESPONSE_WEIGHTS = (20, 8, 10, 62)
_MOST_GUESTS = 50


def _guest_count(random: Random) -> int:
    """Mostly a few, now and then a crowd."""
    if random.random() < 0.03:
        return random.randint(15, _MOST_GUESTS - 2)
    return min(1 + int(random.expovariate(0.4)), 14)


def response(random: Random) -> str:
    """An answer to an invitation, most often yes."""
    return random.choices(RESPONSES, _RESPONSE_WEIGHTS)[0]


def attendee(person: Person, random: Random) -> Item:
    """An invited person; a third of them without a name, as Google shows strangers."""
    guest: Item = {"email": person.email, "responseStatus": response(random)}
    if random.random() < 0.7:
        guest["displayName"] = person.display_name
    if random.random() < 0.15:
        guest["optional"] = True
    if random.random() < 0.03:
        guest["additionalGuests"] = random.randint(1, 3)
    if random.random() < 0.03:
        guest["comment"] = "Sorry, 10 min late 🙏"
    return guest


def _room(random: Random) -> Item:
    number = random.randint(1, 40)
    return {
        "email": f"c_188room{number:03}@resource.calendar.google.com",
        "displayName": f"HQ-{number // 10}-Raum {number} (8)",
        "resource": True,
        "responseStatus": "accepted",
    }


def is_shared(calendar: Item) -> bool:
    """Whether a calendar is another person's own one, whose id is that person's address."""
    return bool(calendar["accessRole"] != "owner" and "@group." not in calendar["id"])


def _owner(persona: Persona, calendar: Item) -> Item:
    """Whoever `self` means on this calendar."""
    address = calendar["id"] if is_shared(calendar) else persona.email
    return {"email": address, "self": True}


def own_event(persona: Persona, calendar: Item) -> Item:
    """Creator and organizer of an event that was made on this very calendar.

    Only on a primary calendar are they the same; elsewhere the calendar itself organizes:
    https://developers.google.com/workspace/calendar/api/concepts/sharing
    """
    if calendar.get("primary") or is_shared(calendar):
        owner = _owner(persona, calendar)
        return {"creator": owner, "organizer": dict(owner)}
    itself = {"email": calendar["id"], "displayName": calendar["summary"], "self": True}
    public = calendar["accessRole"] != "owner"
    return {"creator": dict(itself) if public else {"email": persona.email}, "organizer": itself}


def _named(person: Person) -> Item:
    return {"email": person.email, "displayName": person.display_name}


def _invited(persona: Persona, random: Random) -> list[Person]:
    """Different people, in the order in which they were thought of; at least one."""
    drawn = (persona.acquaintance(random) for _ in range(_guest_count(random)))
    return list({person.email: person for person in drawn}.values())


def meeting(persona: Persona, calendar: Item, random: Random) -> Item:
    """Creator, organizer and attendees of a meeting that the user or somebody else called."""
    owner = _owner(persona, calendar)
    people = [person for person in _invited(persona, random) if person.email != owner["email"]]
    found = [attendee(person, random) for person in people]
    if random.random() < 0.2:
        found.append(_room(random))
    if not people or random.random() < 0.5:
        mine = owner | {"responseStatus": "accepted", "organizer": True}
        return own_event(persona, calendar) | {"attendees": [mine, *found]}
    host = _named(people[0])
    found[0] |= {"organizer": True, "responseStatus": "accepted"}
    found.insert(1, owner | {"responseStatus": response(random)})
    return {"creator": host, "organizer": dict(host), "attendees": found}
