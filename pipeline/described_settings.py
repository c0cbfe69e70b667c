"""Settings as a person reads them: what each means, its default, its value and who set it.

Reads the environment and the file as they are, so that it also serves when a
value is wrong and `pipeline.config.settings` refuses to start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from pipeline.config import Settings, data_dir, env_name

Origin = Literal["environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Described:
    """One setting.  `value` is fit to be shown: secrets are masked."""

    variable: str
    default: str
    meaning: str
    value: str
    origin: Origin


def described() -> list[Described]:
    """Return every setting, in the order in which Settings has them."""
    environment = {name.upper(): value for name, value in os.environ.items()}
    file = {name.upper(): value or "" for name, value in dotenv_values(data_dir() / "env").items()}
    rows = []
    for field, info in Settings.model_fields.items():
        variable = env_name(field)
        default = _text(info.default)
        raw = default
        origin: Origin = "default"
        if variable in environment:
            raw, origin = environment[variable], "environment"
        elif variable in file:
            raw, origin = file[variable], "file"
        shown = raw if origin == "default" else masked(raw, secret=is_secret(field))
        rows.append(Described(variable, default, info.description or "", shown, origin))
    return rows


def is_secret(field: str) -> bool:
    """Return whether the field of Settings holds a secret, or an address with a password."""
    return "SecretStr" in str(Settings.model_fields[field].annotation)


def masked(value: str, *, secret: bool) -> str:
    """Return `value` without what must not be shown: passwords in addresses, whole secrets."""
    if "://" in value:
        return _without_password(value)
    return "(set)" if secret and value else value


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an address that cannot be read)"
    if "@" not in parts.netloc:
        return url
    user, _, _ = parts.netloc.rpartition("@")[0].partition(":")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:***@{host}").geturl()


def _text(default: Any) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)
