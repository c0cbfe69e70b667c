"""A store that is down: pages say which, show what they know, and recover."""

from __future__ import annotations

import pytest
from looking import BRIEFLY, look
from operators import Site, Tab, hanging, without_loading
from playwright.sync_api import expect


@pytest.mark.long
def test_pages_live_without_redis_and_say_so_until_it_is_back(site: Site, tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/queues")
    problem = page.get_by_text("Redis does not answer")
    with without_loading(page):
        redis = site.redis
        with hanging(redis):
            expect(page.locator("#live > .notice", has=problem)).to_be_visible()
            expect(page.locator("#queue-graph")).to_be_visible()  # as it was
            wrong = look(page, "without-redis", BRIEFLY)
            redis.kill()  # `headrace up` starts it again
        expect(problem).to_have_count(0)
    assert wrong == []
