"""What the browser counts on reads like what the server wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from operators import Tab

from pipeline import words
from pipeline.web.templating import environment

SECONDS = [
    *(0, 0.0004, 0.0123, 0.084, 0.2504, 0.999, 1, 1.04, 2.46, 9.94, 9.96, 10, 59.4, 59.6, 60, 61),
    *(119, 120, 3599, 3600, 3660, 7199.7, 7500, 86_399, 86_400, 90_000, 200_000, 10_000_000),
]
NUMBERS = [0, 1, 12, 999, 1000, 12_345, 1_000_000, 123_456_789]
SHARES = [0, 0.0004, 0.001, 0.0123, 0.5, 0.666, 0.99, 0.9996, 1, 1.2]
BYTES = [0, 1, 512, 1023, 1024, 1536, 12_345, 5_000_000, 123_456_789, 5_000_000_000]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _age(seconds: float) -> str:
    return words.age(NOW - timedelta(seconds=seconds), NOW)


def _exact(seconds: float) -> str:
    return str(environment().globals["ui"].duration(seconds))  # type: ignore[attr-defined]


def _bytes(number: int) -> str:
    return environment().from_string("{{ number|filesizeformat(true) }}").render(number=number)


@pytest.mark.parametrize(
    ("script", "values", "written"),
    [
        ("duration(value)", SECONDS, words.duration),
        ("age(value)", [*SECONDS, -0.4, -0.6, -59.6, -3700], _age),
        ("exactDuration(value)", SECONDS, _exact),
        ("count(value)", NUMBERS, words.number),
        ("amount(value, 'percent')", SHARES, words.percent),
        ("amount(value, 'bytes')", BYTES, _bytes),
    ],
)
def test_the_browser_writes_as_the_server_does(
    tab: Tab, script: str, values: list[float], written: Any
) -> None:
    tab.page.goto("/admin/settings")
    told = tab.page.evaluate(
        f"""async (values) => {{
          const words = await import("/static/words.js");
          return values.map((value) => words.{script});
        }}""",
        values,
    )
    assert dict(zip(values, told, strict=True)) == {value: written(value) for value in values}
