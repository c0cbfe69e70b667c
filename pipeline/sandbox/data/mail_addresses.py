"""Address headers as they really occur: encoded names, quoted commas, groups, bare addresses."""

from base64 import b64encode
from collections.abc import Iterable
from random import Random

from pipeline.sandbox.data.people import Person

#: Characters that a display name may only hold in quotes (RFC 5322, 3.2.3).
_SPECIALS = frozenset('()<>[]:;@\\,."')


def _encoded_word(name: str) -> str:
    """A name in RFC 2047's form, as it stands when nobody decoded it."""
    return f"=?UTF-8?B?{b64encode(name.encode()).decode('ascii')}?="


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def named(name: str, address: str, random: Random) -> str:
    """One mailbox: `Name <address>` in one of the spellings that clients produce."""
    luck = random.random()
    if luck < 0.12:
        return address
    if luck < 0.16:
        return f"<{address}>"
    if not name.isascii() and luck < 0.6:
        return f"{_encoded_word(name)} <{address}>"
    if luck < 0.75 or not _SPECIALS.isdisjoint(name):
        return f"{_quoted(name)} <{address}>"
    return f"{name} <{address}>"


def mailbox(person: Person, random: Random) -> str:
    """A person's mailbox, now and then as `"Family, Given" <address>`."""
    if person.family_name and random.random() < 0.12:
        return f"{_quoted(f'{person.family_name}, {person.given_name}')} <{person.email}>"
    return named(person.display_name, person.email, random)


def listed(mailboxes: Iterable[str]) -> str:
    """Several mailboxes in one header."""
    return ", ".join(mailboxes)


def group(mailboxes: Iterable[str]) -> str:
    """An RFC 5322 group: `Team: a@x.example, b@y.example;`."""
    return f"Team: {listed(mailboxes)};"
