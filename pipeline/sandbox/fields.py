"""Checks for the JSON that control is given: every refusal names the field at fault."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NoReturn


class BadField(ValueError):
    """A field of a control request is unknown, missing or wrong."""


def refuse(name: str, why: str) -> NoReturn:
    raise BadField(f"{name}: {why}")


class Fields:
    """A JSON object that may have the `known` fields and no others."""

    def __init__(self, value: Any, known: Collection[str], prefix: str = "") -> None:
        if not isinstance(value, dict):
            refuse(prefix or "body", "needs a JSON object")
        unknown = sorted(set(value) - set(known))
        if unknown:
            refuse(prefix + unknown[0], f"unknown field; known are {', '.join(sorted(known))}")
        self._value, self._prefix = value, prefix

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        value = self._value.get(name, default)
        if not isinstance(value, str) or not value:
            refuse(self._prefix + name, "needs a text")
        return value

    def whole(self, name: str, default: int | None = None, lowest: int | None = None) -> int:
        value = self._value.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            refuse(self._prefix + name, "needs a whole number")
        if lowest is not None and value < lowest:
            refuse(self._prefix + name, f"must be at least {lowest}")
        return value

    def number(self, name: str) -> float:
        value = self._value.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            refuse(self._prefix + name, "needs a number")
        return float(value)

    def texts(self, name: str) -> list[str] | None:
        """A list of texts; None when it is absent."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            refuse(self._prefix + name, "needs a list of texts")
        return list(value)

    def object(self, name: str) -> dict[str, Any]:
        value = self._value.get(name)
        if not isinstance(value, dict):
            refuse(self._prefix + name, "needs a JSON object")
        return dict(value)

    def raw(self, name: str) -> Any:
        return self._value.get(name)

    def choice(self, name: str, known: Collection[str]) -> str:
        value = self.text(name)
        if value not in known:
            refuse(self._prefix + name, f"unknown {value!r}; known are {', '.join(known)}")
        return value
