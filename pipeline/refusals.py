"""What speaks against what somebody wants to set: the field, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mongoengine import Document, EmbeddedDocument
from mongoengine.errors import FieldDoesNotExist, ValidationError

from pipeline.errors import Permanent


class Refused(Permanent):
    """A value cannot be taken.  `field` says which, the text why and what would do."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field


def parsed(model: type[Document | EmbeddedDocument], values: Mapping[str, Any]) -> Any:
    """Return a document with `values`.  Raises Refused for a field that it has not."""
    try:
        return model(**values)
    except FieldDoesNotExist:
        unknown = sorted(set(values) - set(model._fields))
        known = ", ".join(sorted(model._fields))
        raise Refused(", ".join(unknown), f"there is no such field; there are {known}") from None
    except (TypeError, ValueError, ValidationError):
        raise Refused("", "expected an object with fields") from None


def validated(document: Document | EmbeddedDocument, prefix: str = "") -> dict[str, Any]:
    """Return a document as it is stored.  Raises Refused that names the first wrong field."""
    try:
        document.validate()
    except ValidationError as error:
        field, why = next(_told(error.to_dict()))
        raise Refused(f"{prefix}{field}" if field else prefix.rstrip("."), why) from None
    return document.to_mongo().to_dict()  # type: ignore[no-any-return]


def _told(problems: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each wrong field, by its path, and what is wrong with it."""
    if isinstance(problems, Mapping):
        for name, inner in problems.items():
            own = "" if name == "__all__" else str(name)
            yield from _told(inner, ".".join(filter(None, (path, own))))
        return
    text = str(problems)
    field, colon, why = text.partition(": ")
    if colon and field.isidentifier():  # the model names a field within
        yield ".".join(filter(None, (path, field))), why
    else:
        yield path, text
