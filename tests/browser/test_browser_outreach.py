"""Outreach in the admin: a plan as a graph, a pause, what is wrong with a plan, and a file."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from looking import BRIEFLY, look
from operators import Site, Tab, without_loading
from outreach_seed import Seeded
from playwright.sync_api import expect

_NUMBERS = itertools.count()
_SEED = "import json, outreach_seed as o; print(json.dumps(vars(o.seed({!r}))))"


@pytest.fixture
def made(site: Site) -> Seeded:
    """A new tenant with a campaign under way, in the stores of the site: workers run there."""
    environment = {**site.environment, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", _SEED.format(f"browser{next(_NUMBERS)}")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Seeded(**json.loads(done.stdout))


def test_a_campaign_is_looked_at_by_its_graph_and_paused_for_a_reason(
    tab: Tab, made: Seeded
) -> None:
    page = tab.page
    page.goto("/admin/outreach")
    page.get_by_role("link", name=made.tenant_id, exact=True).click()
    page.get_by_role("link", name="Summer catalogue", exact=True).click()
    step = page.get_by_role("link", name="Step think, wait: 2 here now")
    expect(step).to_be_visible()
    wrong = look(page, "outreach-campaign", BRIEFLY)
    with without_loading(page):
        page.get_by_role("button", name="Pause…").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("a typing error")
        page.get_by_role("dialog").get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_role("button", name="Resume…")).to_be_visible()
        expect(page.get_by_text("a typing error")).to_be_visible()
    step.focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("region", name="Enrollments")
    expect(rows.locator("tbody tr")).to_have_count(2)
    rows.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What comes next")).to_be_visible()
    expect(page.get_by_text("enrolled by ada")).to_be_visible()
    wrong += look(page, "outreach-enrollment", BRIEFLY)
    assert wrong == []


def test_what_is_wrong_with_a_plan_stands_beside_it_by_its_path(tab: Tab, made: Seeded) -> None:
    page = tab.page
    page.goto(f"{made.url}/campaigns/{made.campaign_id}/plan")
    text = page.get_by_label("Plan, as JSON")
    plan = text.input_value()
    text.fill(plan.replace('"to": "think"', '"to": "nowhere"'))
    with without_loading(page):
        page.get_by_role("button", name="Publish").click()
        expect(page.locator(".field-error")).to_contain_text("nodes[0].transitions[1].to")
        expect(text).to_be_focused()
        page.get_by_role("button", name="Check").click()
        expect(page.locator("#plan-checked .notice")).to_contain_text("It cannot be published")
    tab.complaints.clear()  # the console tells of the 400
    text.fill(plan.replace("P3D", "P4D"))
    with without_loading(page):
        page.get_by_role("button", name="Check").click()
        expect(page.locator("#plan-checked svg.plan")).to_be_visible()
    assert look(page, "outreach-plan", BRIEFLY) == []


def test_an_unknown_message_is_settled_and_a_file_of_contacts_reported_on(
    tab: Tab, made: Seeded
) -> None:
    page = tab.page
    page.goto(f"{made.url}/messages")
    unknown = page.get_by_role("region", name="Unknown messages")
    wrong = look(page, "outreach-messages", BRIEFLY)
    with without_loading(page):
        unknown.get_by_role("button", name="It was sent").click()
        page.get_by_role("dialog").get_by_role("button", name="It was sent").click()
        expect(unknown).to_have_count(0)
    page.get_by_role("link", name="Senders").click()
    expect(page.get_by_role("meter", name="In any minute").first).to_be_visible()
    wrong += look(page, "outreach-senders", BRIEFLY)
    page.get_by_role("link", name="Contacts").click()
    page.get_by_role("link", name="Imports").click()
    rows = b"email,first_name\neve@x.example,Eve\nnobody,Nobody\n"
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": rows}
    page.get_by_label("File, up to").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="people.csv")).to_be_visible()
    expect(page.get_by_text("this is not an e-mail address")).to_be_visible()
    assert wrong == []
