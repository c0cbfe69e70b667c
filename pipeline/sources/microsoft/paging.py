"""Pages of a delta query: links to the next one, and at the end the link for the next time.

https://learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import Permanent
from pipeline.sources.base import Cursor, Item, Page, ProviderClient

_NEXT, _DELTA = "@odata.nextLink", "@odata.deltaLink"


def answers(client: ProviderClient, first: Item) -> Iterator[Item]:
    """Yield the answer `first` and those that follow it, to the end."""
    answer = first
    yield answer
    while link := answer.get(_NEXT):
        answer = client.call("GET", url=link)
        yield answer


def end_page(page: Page, answer: Item, cursor: Cursor) -> Page:
    """Say on `page` where to go on after it.  Raises Permanent if the answer does not."""
    if link := answer.get(_NEXT):
        page.resume = {**cursor, "link": link}
    elif link := answer.get(_DELTA):
        page.cursor = {**cursor, "link": link}
    else:
        raise Permanent("a page of a delta query carries no link")
    return page
