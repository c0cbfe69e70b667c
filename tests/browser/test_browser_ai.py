"""AI in a browser: a request from the list to its answer, in light and dark, wide and narrow."""

from __future__ import annotations

import json
from pathlib import Path

from looking import look
from operators import Site, Tab
from playwright.sync_api import expect

TEXT = (
    "The invoice 4711 is due on Friday. Please pay it. If it is paid late, the bank charges a fee."
)


def test_a_request_is_found_in_the_list_and_its_answer_shown_to_who_asks(
    site: Site, tab: Tab, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text(TEXT)
    words = ("ai", "ask", "generate-summary", str(letter), "--tenant", "browser", "--wait", "60")
    assert json.loads(site.headrace(*words, "--json"))["status"] == "done"
    page = tab.page
    page.goto("/admin/ai?tenant=browser")
    expect(page.get_by_role("heading", name="Quotas")).to_be_visible()
    expect(page.get_by_role("heading", name="Today, UTC")).to_be_visible()
    assert look(page, "ai") == []
    page.locator("[data-row] a").first.click()
    expect(page.get_by_role("heading", name="Where the answer is from")).to_be_visible()
    page.get_by_role("button", name="Reveal the result").click()
    page.get_by_role("dialog").get_by_role("button", name="Reveal the result").click()
    expect(page.locator("#revealed")).to_contain_text("invoice 4711")
    assert look(page, "ai-request") == []
