"""Pages that change by themselves, and say so when they cannot."""

from __future__ import annotations

import re

from looking import BRIEFLY, look
from operators import Site, Tab, fact, hanging, without_loading
from playwright.sync_api import expect

USER = "user0001"


def _next(count: str) -> str:
    """Return the number after this one, as pages write it."""
    return f"{int(count.replace(',', '')) + 1:,}"


def test_a_change_at_the_provider_shows_by_itself_within_seconds(site: Site, tab: Tab) -> None:
    page = tab.page
    page.goto(f"/admin/users/{USER}")
    records = fact(page.locator("#source-google_calendar"), "Records")
    before = records.inner_text()
    event = {"summary": "tea", "start": {"date": "2030-01-01"}, "end": {"date": "2030-01-02"}}
    with without_loading(page):
        site.sandbox.put(USER, "google_calendar", f"events/{USER}@sandbox.example", "tea", event)
        expect(records).to_have_text(_next(before))


def test_sync_now_brings_what_nobody_has_told_us_of(site: Site, tab: Tab) -> None:
    page = tab.page
    page.goto(f"/admin/users/{USER}")
    card = page.locator("#source-google_tasks")
    records = fact(card, "Records")
    before = records.inner_text()
    stream, _, _ = next(one for one in site.sandbox.truth(USER, "google_tasks") if "/" in one[0])
    site.sandbox.put(USER, "google_tasks", stream, "buy-tea", {"title": "buy tea"})
    with without_loading(page):
        card.get_by_role("button", name="Sync now").click()
        expect(page.get_by_role("region", name="Notices")).to_contain_text("google_tasks")
        expect(records).to_have_text(_next(before))
        card.get_by_text("Newest syncs").click()
        expect(card.get_by_role("region")).to_contain_text(re.compile("s ago"))


def test_updates_wait_while_the_page_is_hidden_and_go_on_after(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/workers")
    expect(page.locator("#live-status")).to_contain_text("updated")
    _wait_for_streams(tab, 1)
    page.evaluate(_TURN, True)
    _wait_for_streams(tab, 0)
    page.evaluate(_TURN, False)
    _wait_for_streams(tab, 1)


#: Playwright keeps every page visible, so this does what a browser does to one that is covered.
_TURN = """
(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def _wait_for_streams(tab: Tab, count: int) -> None:
    while len(tab.streams) != count:
        tab.page.wait_for_event("request" if len(tab.streams) < count else "requestfailed")


def test_a_page_says_that_it_is_stale_when_the_web_stops_answering(site: Site, tab: Tab) -> None:
    page = tab.page
    page.clock.install()
    page.goto("/admin/workers")
    expect(page.locator("#live-status")).to_contain_text("updated")
    with hanging(site.web):
        page.clock.fast_forward(20_000)
        expect(page.locator("#stale")).to_contain_text("Live updates stopped")
        wrong = look(page, "stale", BRIEFLY)
    expect(page.locator("#stale")).to_be_hidden()
    assert wrong == []
