"""Search: what changes at a provider is found seconds later, and not once it is deleted."""

from __future__ import annotations

from looking import look
from operators import Site, Tab, without_loading
from playwright.sync_api import Page, expect

USER = "user0002"
#: Until a push, a sync and the index have done their part, on a busy machine.
_LANDS_SECONDS = 60


def search(page: Page, words: str) -> None:
    """Look for words of the user."""
    page.get_by_label("Words to look for").fill(words)
    page.get_by_role("button", name="Search", exact=True).click()


def find(page: Page, words: str, text: str) -> None:
    """Search until the page says `text`."""
    found = page.locator("#found")
    for _ in range(_LANDS_SECONDS):
        with page.expect_response("**/admin/search/find"):
            search(page, words)
        page.wait_for_timeout(1000)
        if found.get_by_text(text).count():
            return
    expect(found).to_contain_text(text)


def test_what_lands_is_found_marked_and_gone_once_it_is_deleted(site: Site, tab: Tab) -> None:
    page = tab.page
    message = {"subject": "Plâteau review, 1 < 2", "bodyPreview": "The zirconium budget, attached"}
    message_id = site.sandbox.mail_add(USER, "inbox", message)
    page.goto(f"/admin/users/{USER}")
    page.get_by_role("link", name="Search", exact=True).last.click()
    expect(page.get_by_role("heading", name="Search", exact=True)).to_be_visible()
    expect(page.get_by_label("User")).to_have_value(USER)
    with without_loading(page):
        find(page, "plateau zirconium", "1 to 1 of 1 found")
        marks = page.locator("#found mark")
        expect(marks).to_have_text(["Plâteau", "zirconium"])
        expect(page.locator("#found .hit-title")).to_have_text("Plâteau review, 1 < 2")
        wrong = look(page, "search")
        search(page, "-draft")
        expect(page.get_by_text("only what must not be there")).to_be_visible()
        tab.complaints.clear()  # the console tells of the 400
        search(page, "plateau molybdenum")
        expect(page.get_by_text("Nothing has all of these words")).to_be_visible()
        wrong += look(page, "search-nothing")
        site.sandbox.mail_remove(USER, message_id)
        find(page, "plateau zirconium", "Nothing has all of these words")
    assert wrong == []


def test_hits_are_turned_over_and_the_keyboard_finds_the_field(site: Site, tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/search")
    page.get_by_label("User").fill(USER)
    page.get_by_label("Words to look for").fill("example")
    page.keyboard.press("Enter")
    found = page.locator("#found")
    expect(found).to_contain_text("1 to 20 of")
    found.get_by_role("button", name="Next page").click()
    expect(found).to_contain_text("21 to")
    found.get_by_role("button", name="Previous page").click()
    expect(found).to_contain_text("1 to 20 of")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.get_by_label("Words to look for")).to_be_focused()
    assert look(page, "search-pages", [("light", 1280), ("dark", 390)]) == []
