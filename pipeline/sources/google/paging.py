"""Pages of a Google listing: the loop that Calendar, People and Tasks share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.sources.base import ProviderClient


def answers(
    client: ProviderClient, method: str, params: dict[str, Any], page_token: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the answers of a paged method, to the end.

    A page may be short or empty while more follow, so only the page token
    counts.  https://developers.google.com/workspace/calendar/api/guides/pagination
    """
    while True:
        answer = client.call(method, **params, **({"pageToken": page_token} if page_token else {}))
        yield answer
        page_token = answer.get("nextPageToken")
        if not page_token:
            return
