"""Signing in and out, and what somebody sees who may only look."""

from __future__ import annotations

import re

from operators import ADMIN, Site, Tab, sign_in
from playwright.sync_api import expect

SIGN_IN = re.compile("/admin/sign-in")


def test_a_stranger_signs_in_reaches_the_page_that_was_asked_for_and_leaves(stranger: Tab) -> None:
    page = stranger.page
    page.goto("/admin/workers")
    expect(page).to_have_url(SIGN_IN)
    sign_in(page, password="not-the-password")
    expect(page.get_by_role("alert")).to_contain_text("password")
    expect(page.get_by_label("Name")).to_have_value(ADMIN)
    stranger.complaints.clear()  # the console tells of the 401
    sign_in(page)
    expect(page.get_by_role("heading", name="Workers", exact=True)).to_be_visible()
    page.get_by_role("button", name=ADMIN).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(SIGN_IN)
    page.goto("/admin/workers")
    expect(page).to_have_url(SIGN_IN)


def test_an_open_page_leads_to_the_sign_in_once_its_session_has_ended(
    site: Site, stranger: Tab
) -> None:
    page = stranger.page
    page.goto("/admin/workers")
    sign_in(page)
    expect(page.get_by_role("heading", name="Workers", exact=True)).to_be_visible()
    page.context.clear_cookies()
    page.keyboard.press("r")
    expect(page).to_have_url(SIGN_IN)
    stranger.complaints.clear()  # the console tells of the 401


def test_a_viewer_sees_everything_and_no_button_that_acts(site: Site, stranger: Tab) -> None:
    site.let_in("vera", "viewer")
    page = stranger.page
    page.goto("/admin/sign-in")
    sign_in(page, "vera")
    page.wait_for_url("**/admin/queues")
    acting = page.locator("main :is([hx-post], form[method=post], dialog)")
    for address in (
        *("/admin/queues", "/admin/queues/graph", "/admin/jobs", "/admin/dead-letters"),
        *("/admin/users", "/admin/users/user0001", "/admin/schedules", "/admin/subscriptions"),
    ):
        page.goto(address)
        expect(page.locator("#live > *").first).to_be_visible()
        assert acting.count() == 0, f"{address}: {acting.first.evaluate('one => one.outerHTML')}"
    refused = page.evaluate(_PAUSE)
    assert refused == 403
    stranger.complaints.clear()  # the console tells of the 403


#: What a viewer might send by hand.
_PAUSE = """
async () => {
  const token = document.querySelector("meta[name=csrf-token]").content;
  const headers = { "X-CSRF-Token": token, "HX-Request": "true" };
  const body = new URLSearchParams({ reason: "because I can" });
  return (await fetch("/admin/queues/graph/pause", { method: "POST", headers, body })).status;
}
"""
