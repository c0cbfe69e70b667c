"""The keyboard: pages, rows, search and help, and nothing while somebody types."""

from __future__ import annotations

import re

from looking import BRIEFLY, look
from operators import Tab
from playwright.sync_api import Page, expect


def _go(page: Page, letter: str, address: str) -> None:
    """Go to a page by its letter."""
    page.keyboard.press("g")
    page.keyboard.press(letter)
    _expect(page, address)


def _expect(page: Page, address: str) -> None:
    """Wait until a page is there, with its scripts."""
    expect(page).to_have_url(re.compile(f"{address}$"))
    expect(page.locator("#live-status")).to_contain_text("updated")


def test_letters_lead_to_pages_and_rows(tab: Tab) -> None:
    page, press = tab.page, tab.page.keyboard.press
    page.goto("/admin/queues")
    _go(page, "u", "/admin/users")
    rows = page.locator("[data-row]")
    press("j")
    expect(rows.nth(0)).to_be_focused()
    press("j")
    expect(rows.nth(1)).to_be_focused()
    press("k")
    expect(rows.nth(0)).to_be_focused()
    where = rows.nth(0).get_attribute("data-row")
    press("Enter")
    _expect(page, str(where))
    _go(page, "j", "/admin/jobs")
    press("j")
    press("x")
    expect(page.locator("[data-row]:focus").get_by_role("checkbox")).to_be_checked()
    assert look(page, "jobs-by-keyboard", BRIEFLY) == []


def test_r_looks_again_and_p_stops_and_starts_live_updates(tab: Tab) -> None:
    page, press = tab.page, tab.page.keyboard.press
    page.goto("/admin/workers")
    with page.expect_request(lambda one: one.headers.get("hx-request") == "true"):
        press("r")
    switch = page.locator("#live-status")
    press("p")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(switch).to_contain_text("stopped")
    press("p")
    expect(switch).to_have_attribute("aria-pressed", "false")


def test_help_is_shown_and_closed_and_a_field_takes_all_letters(tab: Tab) -> None:
    page, press = tab.page, tab.page.keyboard.press
    page.goto("/admin/users")
    press("?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_be_visible()
    wrong = look(page, "help", BRIEFLY)
    press("g")
    press("d")
    press("Escape")
    expect(shortcuts).to_be_hidden()
    press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("gd jkxr?/p")
    expect(field).to_have_value("gd jkxr?/p")
    expect(page).to_have_url(re.compile("/admin/users$"))
    expect(page.locator("#live-status")).to_have_attribute("aria-pressed", "false")
    press("Escape")
    expect(field).not_to_be_focused()
    _go(page, "d", "/admin/dead-letters")
    assert wrong == []


def test_single_letters_can_be_switched_off(tab: Tab) -> None:
    page, press = tab.page, tab.page.keyboard.press
    page.goto("/admin/jobs")
    press("?")
    switch = page.get_by_label("Shortcuts of one letter are on")
    switch.uncheck()
    press("Escape")
    press("/")
    expect(page.get_by_role("searchbox")).not_to_be_focused()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    switch.check()
    press("Escape")
    press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
