"""Models behind an API for the tests of AI."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from chat_server import KEY, ChatServer, chat_server


@pytest.fixture
def chat(stores: None, setting: Callable[..., None]) -> Iterator[ChatServer]:
    """An API that is asked in place of the worker itself."""
    with chat_server() as server:
        setting(AI_BASE_URL=server.url, AI_API_KEY=KEY, AI_MODEL="small-1", AI_TIMEOUT_SECONDS=5)
        yield server


@pytest.fixture
def fallback(chat: ChatServer, setting: Callable[..., None]) -> Iterator[ChatServer]:
    """A second API, for when the first one fails."""
    with chat_server() as server:
        setting(
            AI_FALLBACK_BASE_URL=server.url,
            AI_FALLBACK_API_KEY="sk-other",
            AI_FALLBACK_MODEL="other-1",
        )
        yield server
