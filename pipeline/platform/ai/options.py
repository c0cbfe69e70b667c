"""What may be said of a request to AI, by its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.refusals import Refused

_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
Language = Annotated[str, Field(pattern=rf"^{_LANGUAGE}$", max_length=35)]
Context = Annotated[str, Field(min_length=1, max_length=2000)]
MOST_CATEGORIES = 50


class Options(BaseModel):
    """Options of a type that has none, and what all have in common: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SummaryOptions(Options):
    """`context` says what the content is about, for whoever does not know."""

    style: Literal["brief", "comprehensive"] = "brief"
    context: Context | None = None


class TranslateOptions(Options):
    """Languages are BCP 47 tags, such as `de` or `pt-BR`."""

    target_language: Language = "en"
    source_language: Annotated[str, Field(pattern=rf"^(auto|{_LANGUAGE})$", max_length=35)] = "auto"
    preserve_formatting: bool = True


class Category(BaseModel):
    """A category that may be suggested; the description says what belongs in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    description: Annotated[str, Field(max_length=500)] = ""


def _distinct(categories: tuple[Category, ...] | None) -> tuple[Category, ...] | None:
    if categories and len({category.id for category in categories}) < len(categories):
        raise ValueError("two categories have the same id")
    return categories


class CategorizeOptions(Options):
    """`categories` are those to choose from; left out: a set of our own."""

    categories: Annotated[
        tuple[Annotated[Category, Field()], ...] | None,
        Field(min_length=1, max_length=MOST_CATEGORIES),
        AfterValidator(_distinct),
    ] = None

    @property
    def offered(self) -> tuple[Category, ...]:
        """The categories to choose from."""
        return DEFAULT_CATEGORIES if self.categories is None else self.categories


class NoteOptions(Options):
    """`light` mends what is broken, `full` also brings the note into whole sentences."""

    style: Literal["light", "full"] = "light"
    context: Context | None = None


#: Whoever changes them counts up what answers with them: the prompt's number and the local name.
DEFAULT_CATEGORIES = tuple(
    Category(id=name.lower(), name=name, description=description)
    for name, description in (
        ("Work", "Projects, meetings, deadlines, reports and other work with colleagues"),
        ("Finance", "Invoices, payments, bills, receipts, budgets and bank matters"),
        ("Sales", "Offers, quotes, customers, deals, orders and negotiations"),
        ("Support", "Problems, bugs, complaints and requests for help"),
        ("Travel", "Flights, hotels, trains, bookings and itineraries"),
        ("Hiring", "Applications, candidates, interviews and job offers"),
        ("Legal", "Contracts, agreements, compliance and privacy"),
        ("Security", "Sign-ins, passwords, security alerts and account access"),
        ("Newsletters", "Newsletters, promotions, discounts and advertising"),
        ("Personal", "Family, friends, birthdays, health and private life"),
    )
)


def parse(model: type[Options], options: Mapping[str, Any] | None) -> Options:
    """Return options with what was left out filled in.

    Raises Refused that names the first wrong one, as `options.<path>`.
    """
    try:
        return model.model_validate(dict(options or {}))
    except ValidationError as error:
        [problem, *_] = error.errors(include_url=False, include_input=False)
        path = ".".join(("options", *map(str, problem["loc"])))
        if problem["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            raise Refused(path, f"there is no such option; there are: {known}") from None
        said = problem["msg"].removeprefix("Value error, ")
        raise Refused(path, f"{said[:1].lower()}{said[1:]}") from None
