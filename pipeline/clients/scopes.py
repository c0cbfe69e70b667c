"""Which scopes each source needs, whoever the provider is."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.clients import google_scopes, microsoft_scopes


def missing_scope(granted: Iterable[str], source: str) -> str | None:
    """Return the scope to ask for that `source` needs and was not granted; None if none is."""
    if source.startswith("microsoft_"):
        return microsoft_scopes.missing_scope(granted, source)
    return google_scopes.missing_scope(granted, source)
