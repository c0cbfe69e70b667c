"""`make docs`: writes the tables that code knows best into README.md and deploy/README.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pipeline.cli.settings import as_markdown as settings_table
from pipeline.metrics import documented


def metrics_table() -> str:
    """Return the table of all metrics, in Markdown."""
    head = "| metric | type | labels | of | meaning |\n|---|---|---|---|---|"
    rows = [
        f"| `{n}` | {kind} | {labels} | {of} | {m} |" for n, kind, labels, of, m in documented()
    ]
    return "\n".join([head, *rows])


#: Document, marker in it, and what stands between `<!-- marker -->` and `<!-- /marker -->`.
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "settings", settings_table),
    ("deploy/README.md", "metrics", metrics_table),
)


def filled(text: str, marker: str, table: str) -> str:
    """Return `text` with `table` between its markers.  Raises ValueError if there are none."""
    pattern = re.compile(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected <!-- {marker} --> once, found {count}")
    return replaced


def main(root: Path) -> None:
    """Write every table into its document below `root`."""
    for name, marker, table in TABLES:
        document = root / name
        document.write_text(filled(document.read_text(), marker, table()))


if __name__ == "__main__":
    main(Path.cwd())
