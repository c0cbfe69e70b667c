"""Settings of AI fit together, or nothing starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config import settings
from pipeline.errors import Misconfigured


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"AI_API_KEY": "hunter2"}, "AI_API_KEY is set: set AI_BASE_URL and AI_MODEL too"),
        ({"AI_FALLBACK_BASE_URL": "https://x.example"}, "set AI_FALLBACK_API_KEY"),
        ({"AI_BASE_URL": "x.example"}, "starts with http:// or https://"),
        ({"AI_COST_INPUT": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_is_missing_is_named(
    setting: Callable[..., None], values: dict[str, str], said: str
) -> None:
    setting(**values)
    with pytest.raises(Misconfigured) as caught:
        settings()
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
