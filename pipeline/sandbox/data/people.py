"""An endless population of invented people, the same for everybody who shares a seed.

A person is computed from a number, so nobody has to hold a hundred thousand of them in memory, and
two users who know person 17 know the same name and address: that is what joins their graphs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from unicodedata import normalize

from faker import Faker

LOCALES = (
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "pt_BR", "pl_PL", "cs_CZ", "sv_SE", "tr_TR",
    "el_GR", "ru_RU", "ar_SA", "he_IL", "hi_IN", "ja_JP", "zh_CN", "ko_KR", "vi_VN",
)  # fmt: skip
FAMILY_NAME_FIRST = frozenset({"ja_JP", "zh_CN", "ko_KR", "vi_VN"})
WITHOUT_SPACE = frozenset({"ja_JP", "zh_CN"})
#: Users draw their acquaintances from the first this many people, so that circles overlap.
SHARED_PEOPLE = 600
_NAMES_PER_LOCALE = 48
_COMPANIES_PER_LOCALE = 10
_ADDRESSES_PER_LOCALE = 8


@dataclass(frozen=True, slots=True)
class Company:
    """An employer; `domain` lies under `.example`, which never resolves (RFC 2606)."""

    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """Where somebody lives, as their locale writes it."""

    street: str
    city: str
    postal_code: str
    country_code: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom users meet, write to and keep as a contact."""

    number: int
    locale: str
    given_name: str
    family_name: str
    display_name: str
    email: str
    private_email: str
    phone: str
    job: str
    company: Company
    address: PostalAddress


@dataclass(frozen=True, slots=True)
class _Pool:
    """What Faker gave for one locale."""

    locale: str
    given_names: tuple[str, ...]
    family_names: tuple[str, ...]
    companies: tuple[Company, ...]
    jobs: tuple[str, ...]
    addresses: tuple[PostalAddress, ...]
    phones: tuple[str, ...]


def _ascii(text: str) -> str:
    """The letters and digits of `text` that ASCII can say, lower case; perhaps none."""
    plain = normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return "".join(letter for letter in plain if letter.isalnum())


def _company(faker: Faker, locale: str, index: int) -> Company:
    name = faker.company()
    slug = _ascii(name)[:16] or "company"
    return Company(name, f"{slug}-{locale[-2:].lower()}{index}.example")


def _address(faker: Faker, locale: str) -> PostalAddress:
    street = faker.street_address().replace("\n", ", ").strip()
    return PostalAddress(street, faker.city(), faker.postcode(), locale[-2:])


def _pool(seed: int, locale: str) -> _Pool:
    faker = Faker(locale)
    faker.seed_instance(f"{seed}/people/{locale}")
    return _Pool(
        locale,
        tuple(faker.first_name() for _ in range(_NAMES_PER_LOCALE)),
        tuple(faker.last_name() for _ in range(_NAMES_PER_LOCALE)),
        tuple(_company(faker, locale, index) for index in range(_COMPANIES_PER_LOCALE)),
        tuple(faker.job() for _ in range(_NAMES_PER_LOCALE)),
        tuple(_address(faker, locale) for _ in range(_ADDRESSES_PER_LOCALE)),
        tuple(faker.phone_number() for _ in range(_NAMES_PER_LOCALE)),
    )


def _display_name(locale: str, given_name: str, family_name: str) -> str:
    if locale not in FAMILY_NAME_FIRST:
        return f"{given_name} {family_name}"
    separator = "" if locale in WITHOUT_SPACE else " "
    return f"{family_name}{separator}{given_name}"


def _mailbox(person_number: int, given_name: str, family_name: str) -> str:
    """The part before the @; the number keeps two people of one name apart."""
    parts = [part for part in (_ascii(given_name), _ascii(family_name)) if part]
    return ".".join([*parts, str(person_number)]) if parts else f"user{person_number}"


class Population:
    """Everybody who exists under one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools = tuple(_pool(seed, locale) for locale in LOCALES)

    def person(self, number: int) -> Person:
        """The person with this number (0, 1, 2 ...); every number has one, always the same."""
        pool = self._pools[number % len(self._pools)]
        draw = number * 2_654_435_761 + self._seed * 40_503
        given_name = pool.given_names[(draw >> 4) % len(pool.given_names)]
        family_name = pool.family_names[(draw >> 13) % len(pool.family_names)]
        mailbox = _mailbox(number, given_name, family_name)
        company = pool.companies[(draw >> 7) % len(pool.companies)]
        return Person(
            number=number,
            locale=pool.locale,
            given_name=given_name,
            family_name=family_name,
            display_name=_display_name(pool.locale, given_name, family_name),
            email=f"{mailbox}@{company.domain}",
            private_email=f"{mailbox}@mail.example",
            phone=pool.phones[(draw >> 9) % len(pool.phones)],
            job=pool.jobs[(draw >> 11) % len(pool.jobs)],
            company=company,
            address=pool.addresses[(draw >> 5) % len(pool.addresses)],
        )

    def circle(self, user: str, size: int) -> tuple[Person, ...]:
        """The people whom a user deals with most; circles of different users overlap."""
        random = Random(f"{self._seed}/{user}/circle")
        numbers = random.sample(range(SHARED_PEOPLE), min(size, SHARED_PEOPLE))
        return tuple(self.person(number) for number in numbers)

    def strangers(self, user: str) -> Iterator[Person]:
        """People beyond the shared ones, without end and without repetition, in a user's order."""
        number = SHARED_PEOPLE + Random(f"{self._seed}/{user}/strangers").randrange(1_000_000)
        while True:
            yield self.person(number)
            number += 1


@lru_cache(maxsize=8)
def population(seed: int) -> Population:
    """The population of a seed, built once: Faker is too slow to ask for every item."""
    return Population(seed)
