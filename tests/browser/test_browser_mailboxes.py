"""A mailbox: a habit becomes a rule, its mail waits, is rescued, deleted, and brought back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from dotenv import dotenv_values
from looking import BRIEFLY, look
from operators import Site, Tab, without_loading
from playwright.sync_api import Page, expect
from pymongo import MongoClient
from waiting import wait_until

USER = "user0001"
SENDER = "offers@browser.example"


@pytest.fixture
def pattern_id(site: Site) -> Iterator[str]:
    """A habit of the user that waits for somebody to approve it."""
    with MongoClient[dict[str, Any]](dotenv_values(site.folder / "env")["MONGODB_URI"]) as client:
        database = client.get_default_database()
        mailbox = database["mailboxes"].find_one({"user_id": USER})
        assert mailbox is not None
        row = _pattern(mailbox)
        database["patterns"].insert_one(row)
        yield str(row["_id"])


def _pattern(mailbox: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "_id": ObjectId(),
        "user_id": USER,
        "tenant_id": mailbox["tenant_id"],
        "mailbox_id": mailbox["_id"],
        "pattern_type": "sender",
        "status": "suggested",
        "confidence": 98.6,
        "sample_size": 40,
        "exception_count": 0,
        "condition": {"sender_email": SENDER, "sender_domain": "browser.example"},
        "suggested_action": {"action_type": "delete"},
        "evidence": [],
        "version": 1,
        "notified_version": 1,
        "suggested_at": now,
        "created_at": now,
        "updated_at": now,
    }


def arrive(site: Site, subject: str) -> str:
    """Have a mail of the sender arrive; return its id."""
    address = {"emailAddress": {"name": "Offers", "address": SENDER}}
    message = {"subject": subject, "from": address, "sender": address}
    return site.sandbox.mail_add(USER, "inbox", message)


def folder(site: Site, message_id: str) -> str:
    """Return in which folder a mail really is."""
    names = {f["id"]: f["well_known"] or f["name"] for f in site.sandbox.mail_folders(USER)}
    message = site.sandbox.mail_message(USER, message_id)
    return names[message["parentFolderId"]] if message else ""


def confirm(page: Page, button: str) -> None:
    """Press a button, and say yes to its question."""
    page.get_by_role("button", name=button, exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_habit_becomes_a_rule_whose_mail_is_rescued_deleted_and_brought_back(
    site: Site, tab: Tab, pattern_id: str
) -> None:
    page = tab.page
    notices = page.get_by_role("region", name="Notices")
    page.goto("/admin/mailboxes")
    page.get_by_role("link", name=USER, exact=True).click()
    expect(page.get_by_role("heading", name=f"Mailbox of {USER}")).to_be_visible()
    page.get_by_role("navigation", name="Pages of this mailbox").get_by_role(
        "link", name="Patterns"
    ).click()
    page.get_by_role("link", name="o…@browser.example").click()
    expect(page.get_by_role("heading", name="If it had been a rule")).to_be_visible()
    wrong = look(page, "mailbox-pattern", BRIEFLY)
    with without_loading(page):
        confirm(page, "Approve")
        expect(notices).to_contain_text("its rule acts from now on")
        expect(page.get_by_role("button", name="Take back")).to_be_visible()

    first = arrive(site, "Rescue me")
    page.get_by_role("link", name="Staged").click()
    waiting = page.get_by_role("region", name="Staged mail")
    expect(waiting).to_contain_text("o…@browser.example", timeout=60_000)
    assert folder(site, first) == "Headrace Staging"
    wrong += look(page, "mailbox-staged", BRIEFLY)
    with without_loading(page):
        waiting.get_by_role("button", name="Rescue").click()
        expect(notices).to_contain_text("back where it was")
        expect(page.get_by_text("Nothing waits to be deleted")).to_be_visible()
    assert folder(site, first) == "inbox"

    second = arrive(site, "Delete me")
    expect(waiting).to_contain_text("o…@browser.example", timeout=60_000)
    confirm(page, "Execute now")
    expect(notices).to_contain_text("the audit can undo it")
    assert folder(site, second) == "deleteditems"
    page.get_by_role("link", name="Audit").last.click()
    done = page.locator("tr", has=page.get_by_text("email executed"))
    expect(done.first).to_be_visible()
    wrong += look(page, "mailbox-audit", BRIEFLY)
    done.get_by_role("button", name="Undo").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(notices).to_contain_text("every step was taken back")
    expect(done.first).to_contain_text("Undone by ada")
    wait_until(lambda: folder(site, second) == "inbox", "the mail is back")
    assert wrong == []


def test_what_is_wrong_with_a_rule_stands_beside_its_field(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/mailboxes")
    page.get_by_role("link", name="user0002", exact=True).click()
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("link", name="New rule").first.click()
    page.get_by_label("Name", exact=True).fill("Wrong")
    domain = page.get_by_label("From the domain")
    domain.fill("no domain")
    with without_loading(page):
        page.get_by_role("button", name="Create").click()
        expect(domain).to_have_attribute("aria-invalid", "true")
        expect(page.locator(".field-error")).to_contain_text("expected a domain")
        expect(domain).to_be_focused()
    assert look(page, "mailbox-rule-new", BRIEFLY) == []
    tab.complaints.clear()  # the console tells of the 400
    domain.fill("shop.example")
    page.get_by_label("With the mail").select_option("archive")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Rule", exact=True)).to_be_visible()
    expect(page.get_by_text("move to the archive")).to_be_visible()
