"""Calls that several tests make, and what they look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.clients.google import GoogleClient
from pipeline.stores import Row

Connect = Callable[..., Row]
RequestsOf = Callable[..., int]

GET, LIST = "gmail.users.messages.get", "gmail.users.messages.list"
#: Faults of the sandbox that strike reading a mail.
ON_GET = {"api": "gmail", "method": "users.messages.get"}


def message_ids(client: GoogleClient) -> list[str]:
    answer = client.call(LIST, userId="me", includeSpamTrash=True)
    return [message["id"] for message in answer["messages"]]


def gets(ids: list[str]) -> list[dict[str, str]]:
    return [{"userId": "me", "id": message_id, "format": "minimal"} for message_id in ids]


def kinds(outcomes: list[Any]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]
