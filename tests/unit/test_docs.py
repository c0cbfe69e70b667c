"""The documents say what the code says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.docs import TABLES, filled

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "marker", "table"), TABLES)
def test_a_generated_table_is_up_to_date(name: str, marker: str, table: Callable[[], str]) -> None:
    text = (ROOT / name).read_text()
    assert filled(text, marker, table()) == text, "run `make docs`"


def test_a_document_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="expected <!-- settings --> once, found 0"):
        filled("nothing here", "settings", "| a |")
