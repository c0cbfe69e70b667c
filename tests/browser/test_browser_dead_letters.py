"""Dead letters: what killed jobs, and replaying them once its cause is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from looking import BRIEFLY, look
from operators import Site, Tab, without_loading
from playwright.sync_api import expect

USER = "user0002"


@pytest.fixture
def refused(site: Site) -> Iterator[None]:
    """Google refuses all that is asked about one user's tasks, for good."""
    match = {"user": USER, "api": "tasks"}
    site.sandbox.fault("status", match=match, times=None, params={"code": 400, "reason": "invalid"})
    yield
    site.sandbox.clear_faults()


@pytest.mark.usefixtures("refused")
def test_a_group_of_dead_letters_is_replayed_with_a_canary_once_its_cause_is_gone(
    site: Site, tab: Tab
) -> None:
    page = tab.page
    page.goto(f"/admin/users/{USER}")
    page.locator("#source-google_tasks").get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("region", name="Notices")).to_contain_text("google_tasks")
    page.goto("/admin/dead-letters")
    groups = page.get_by_role("region", name="Groups of dead letters")
    expect(groups.get_by_role("row")).to_have_count(2)  # its head, and one
    wrong = look(page, "dead-letters", BRIEFLY)
    groups.get_by_role("link").first.click()
    expect(
        page.get_by_role("region", name="Letters").get_by_role("link", name=USER, exact=True)
    ).to_be_visible()
    wrong += look(page, "dead-letter-group", BRIEFLY)

    site.sandbox.clear_faults()
    with without_loading(page):
        page.get_by_role("button", name="Replay all").click()
        question = page.get_by_role("dialog")
        expect(question).to_contain_text("One letter first")
        question.get_by_role("button", name="Replay all").click()
        expect(page.get_by_role("region", name="Notices")).to_contain_text("begun")
        replay = page.locator(".card", has=page.get_by_role("heading", name="Replay", exact=True))
        expect(replay).to_contain_text("completed")
        tabs = page.get_by_role("navigation", name="Status")
        expect(tabs.get_by_role("link", name="Open")).to_contain_text("0")
        expect(tabs.get_by_role("link", name="Replayed")).to_contain_text("1")
        expect(page.get_by_role("button", name="Replay all")).to_have_count(0)
    tabs.get_by_role("link", name="Replayed").click()
    expect(page.get_by_role("region", name="Letters")).to_contain_text("Replayed by ada")
    wrong += look(page, "dead-letter-replayed", BRIEFLY)
    assert wrong == []
