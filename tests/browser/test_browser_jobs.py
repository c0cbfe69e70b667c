"""Jobs and their queues: finding them, acting on many, pausing and resuming."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from looking import BRIEFLY, look
from operators import Site, Tab, without_loading
from playwright.sync_api import Locator, Page, expect

SOME = re.compile(r"Waiting\s*[1-9]")
NONE = re.compile(r"Waiting\s*0")


def _waiting(page: Page) -> Locator:
    """The tab that tells how many jobs wait."""
    return page.get_by_role("navigation", name="Jobs by state").get_by_role("link", name="Waiting")


def _change_something(site: Site, user: str, name: str) -> None:
    """Have an event written, of which Google tells us, and of which the graph is to hear."""
    event = {"summary": name, "start": {"date": "2030-01-01"}, "end": {"date": "2030-01-02"}}
    stream = f"events/{user}@sandbox.example"
    site.sandbox.put(user, "google_calendar", stream, name, event)


def test_a_search_by_user_is_in_the_address_holds_across_tabs_and_goes_back(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/jobs")
    users = page.locator("td[data-label^=User] a")
    expect(users.filter(has_text="user0001").first).to_be_visible()
    with without_loading(page):
        page.get_by_role("searchbox").fill("user:user0002")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"q=user(:|%3A)user0002"))
        expect(users.filter(has_not_text="user0002")).to_have_count(0)
        expect(users.first).to_be_visible()
        page.get_by_role("navigation", name="Jobs by state").get_by_text("Completed").click()
        expect(page).to_have_url(re.compile("state=completed"))
        expect(page).to_have_url(re.compile("user0002"))
        expect(users.filter(has_not_text="user0002")).to_have_count(0)
    page.evaluate("history.go(-2)")
    expect(page).to_have_url(re.compile("/admin/jobs$"))
    expect(users.filter(has_text="user0001").first).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_a_search_that_is_not_understood_says_so_and_searches_nothing(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/jobs?q=state%3Asleeping")
    expect(page.get_by_role("alert")).to_contain_text("sleeping")
    assert look(page, "jobs-wrong-search", BRIEFLY) == []


def test_a_queue_is_paused_with_a_reason_and_resumed(site: Site, tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/queues/graph")
    with without_loading(page):
        page.get_by_role("button", name="Pause…").click()
        asked = page.get_by_role("dialog")
        asked.get_by_role("textbox").fill("the graph moves house")
        asked.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("region", name="Notices")).to_contain_text("paused")
        expect(page.locator("#live")).to_contain_text("the graph moves house")
        _change_something(site, "user0001", "paused")
        expect(_waiting(page)).to_have_text(SOME)
        wrong = look(page, "queue-paused", BRIEFLY)
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#live")).not_to_contain_text("the graph moves house")
        expect(_waiting(page)).to_have_text(NONE)
    assert wrong == []


@pytest.fixture
def held(site: Site) -> Iterator[None]:
    """Jobs of three users that wait, since their queue is paused."""
    site.headrace("pause", "graph", "--reason", "to have some that wait")
    for number in range(1, 4):
        _change_something(site, f"user000{number}", "held")
    yield
    site.headrace("resume", "graph")


@pytest.mark.usefixtures("held")
def test_jobs_are_selected_across_updates_and_cancelled_together(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/jobs?state=waiting&q=queue%3Agraph")
    boxes = page.get_by_role("checkbox", name=re.compile("^Select (?!all)"))
    expect(boxes).to_have_count(3)
    bar = page.locator("#bulk")
    with without_loading(page):
        boxes.first.check()
        expect(bar).to_contain_text("1 job selected")
        boxes.last.click(modifiers=["Shift"])
        expect(bar).to_contain_text("3 jobs selected")
        boxes.nth(1).uncheck()
        expect(bar).to_contain_text("2 jobs selected")
        with page.expect_response("**/admin/jobs?*"):
            page.keyboard.press("r")
        expect(bar).to_contain_text("2 jobs selected")
        page.get_by_role("checkbox", name="Select all").check()
        expect(bar).to_contain_text("3 jobs selected")
        wrong = look(page, "jobs-selected", BRIEFLY)
        bar.get_by_role("button", name="Cancel jobs").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("Cancel what is selected (3)?")
        question.get_by_role("button", name="Cancel jobs").click()
        expect(boxes).to_have_count(0)
        expect(bar).to_be_hidden()
    assert wrong == []
