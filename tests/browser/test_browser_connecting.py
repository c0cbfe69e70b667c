"""Connecting an account: our page, the provider's consent page, and back."""

from __future__ import annotations

import re

from looking import BRIEFLY, look
from operators import Site, Tab, without_loading
from playwright.sync_api import expect


def test_a_user_grants_a_part_at_the_consent_page_and_appears_with_it(
    site: Site, stranger: Tab, tab: Tab
) -> None:
    site.sandbox.add_user("grace", seed=3, calendars=1, events=5, task_lists=1, tasks=4)
    tab.page.goto("/admin/users")
    expect(tab.page.get_by_role("link", name="user0001")).to_be_visible()
    page = stranger.page
    page.goto(site.headrace("connect-link", "grace").strip())
    expect(page.get_by_role("heading", name="Connect Google")).to_be_visible()
    wrong = look(page, "connect", BRIEFLY)
    page.get_by_label("Mail").uncheck()
    page.get_by_role("button", name="Continue to Google").click()
    page.get_by_role("button", name="grace@").click()
    expect(page.get_by_label("Read your mail")).to_have_count(0)
    page.get_by_label("See your contacts").uncheck()
    with without_loading(tab.page):
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="Google is connected")).to_be_visible()
        expect(page.get_by_text("Contacts was not granted")).to_be_visible()
        wrong += look(page, "connected", BRIEFLY)
        expect(tab.page.get_by_role("link", name="grace")).to_be_visible()
    tab.page.get_by_role("link", name="grace").click()
    for source in ("google_calendar", "google_tasks"):
        card = tab.page.locator(f"#source-{source}")
        expect(card.get_by_text(re.compile("^fresh$"))).to_be_visible()
    for source in ("google_gmail", "google_contacts"):
        expect(tab.page.locator(f"#source-{source}")).to_have_count(0)
    assert wrong == []


def test_who_refuses_at_the_consent_page_is_told_that_nothing_is_connected(
    site: Site, stranger: Tab
) -> None:
    page = stranger.page
    page.goto(site.headrace("connect-link", "user0002").strip())
    page.get_by_role("button", name="Continue to Google").click()
    page.get_by_role("button", name="user0002@").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("link", name="Try again")).to_be_visible()
    assert look(page, "connect-refused", BRIEFLY) == []
    stranger.complaints.clear()  # the console tells of the status
