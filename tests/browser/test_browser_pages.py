"""Every page in light and dark, wide and narrow: pictures to look at, nothing to complain of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values
from looking import BRIEFLY, look
from operators import ADMIN, Site, Tab, Web, running, signed_in
from playwright.sync_api import Browser, BrowserContext, expect
from waiting import wait_until

from pipeline.embedded import Ports

PAGES = {
    "overview": "/admin/queues",
    "queue": "/admin/queues/webhook-process",
    "jobs": "/admin/jobs?q=user%3Auser0001",
    "dead-letters": "/admin/dead-letters",
    "users": "/admin/users",
    "user": "/admin/users/user0001",
    "connect-link": "/admin/users/user0001/connect-link",
    "mailboxes": "/admin/mailboxes",
    "schedules": "/admin/schedules",
    "workers": "/admin/workers",
    "subscriptions": "/admin/subscriptions",
    "audit": "/admin/audit",
    "settings": "/admin/settings?q=google",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_used_in_light_and_dark_wide_and_narrow(tab: Tab, name: str) -> None:
    tab.page.goto(PAGES[name])
    expect(tab.page.locator("main .card, main .table, main .empty").first).to_be_visible()
    assert look(tab.page, name) == []


def test_so_can_the_page_of_a_job_that_is_reached_from_the_list(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/jobs?state=completed&q=job%3Async")
    page.locator("[data-row] a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    assert look(page, "job") == []


def test_so_can_the_page_to_sign_in(stranger: Tab) -> None:
    stranger.page.goto("/admin/sign-in")
    assert look(stranger.page, "sign-in") == []


def test_so_can_the_page_that_stands_for_one_that_does_not_exist(tab: Tab) -> None:
    tab.page.goto("/admin/users/nobody")
    expect(tab.page.get_by_role("heading", name="Not found")).to_be_visible()
    assert look(tab.page, "not-found", BRIEFLY) == []
    tab.complaints.clear()  # the console tells of the 404


# ── When things go wrong ─────────────────────────────────────────────────────────────────────

#: As long as ids get, and with what has a meaning in addresses.
LONG = "acme/Østfold & Sons/department-of-everything-else/Åsa Björk-Hohenzollern-Sigmaringen?#1"


@pytest.fixture(scope="module")
def troubled(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user who must reconnect, one whose jobs die, one who is paused, and a paused queue."""
    grant = tmp_path_factory.mktemp("grant") / "authorized_user.json"
    site.sandbox.add_user("wide", seed=4, calendars=1, events=3, contacts=2)
    grant.write_text(json.dumps(site.sandbox.authorized_user("wide")), encoding="utf-8")
    site.headrace("connect", LONG, "--file", str(grant))
    site.sandbox.tokens("wide", "revoke")
    match = {"user": "user0003", "api": "people"}
    site.sandbox.fault("status", match=match, times=None, params={"code": 400, "reason": "invalid"})
    reason = "the graph moves to a larger machine, which takes as long as it takes; ask Grace"
    site.headrace("pause", "graph", "--reason", reason)
    site.headrace("pause", "user:user0002", "--reason", "asked for it")
    site.headrace("sync", "--all")
    yield
    site.headrace("resume", "graph")
    site.headrace("resume", "user:user0002")
    site.sandbox.clear_faults()


@pytest.mark.usefixtures("troubled")
@pytest.mark.long
def test_pages_that_tell_of_trouble_can_be_used_too(tab: Tab) -> None:
    page = tab.page
    page.goto("/admin/users?show=needs_reauth")
    expect(page.get_by_role("link", name=LONG)).to_be_visible()
    wrong = look(page, "troubled-users")
    page.get_by_role("link", name=LONG).click()
    expect(page.get_by_role("heading", name=LONG)).to_be_visible()
    wrong += look(page, "troubled-user")
    page.goto("/admin/users/user0002")
    expect(page.get_by_text("asked for it").first).to_be_visible()
    wrong += look(page, "troubled-user-paused", BRIEFLY)
    page.goto("/admin/dead-letters")
    group = page.get_by_role("link", name="people.").first
    expect(group).to_be_visible()
    wrong += look(page, "troubled-dead-letters")
    group.click()
    letters = page.get_by_role("region", name="Letters")
    expect(letters).to_be_visible()
    wrong += look(page, "troubled-dead-letter-group")
    letters.get_by_role("link", name="sync:").click()
    expect(page.get_by_role("heading", name="Where it failed")).to_be_visible()
    wrong += look(page, "troubled-job")
    page.goto("/admin/queues/graph")
    wrong += look(page, "troubled-queue")
    page.goto("/admin/queues")
    wrong += look(page, "troubled-overview")
    assert wrong == []


# ── Before anything has happened ─────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def unused(
    site: Site, chrome: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """Signed in at another web on the same servers: no users, no workers, no scheduler."""
    folder = tmp_path_factory.mktemp("unused")
    theirs = {name: value or "" for name, value in dotenv_values(site.folder / "env").items()}
    port = Ports(folder).port_for("web")
    settings = {
        "HEADRACE_DATA_DIR": str(folder),
        "MONGODB_URI": theirs["MONGODB_URI"].replace("/headrace?", "/unused?"),
        "REDIS_URL": theirs["REDIS_URL"].removesuffix("0") + "1",
        "WEB_PORT": str(port),
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
    }
    web = Web(settings["PUBLIC_BASE_URL"], {**site.environment, **theirs, **settings})
    with running(["web"], Path(folder) / "web.log", web.environment):
        web.let_in(ADMIN, "admin")
        wait_until(web.answers, f"the web answers; see {folder}", 60)
        with signed_in(chrome, web.url) as context:
            yield context


@pytest.mark.long
def test_empty_pages_can_be_used_and_say_what_to_do(unused: BrowserContext) -> None:
    tab = Tab(unused.new_page())
    wrong = []
    for name in PAGES.keys() - {"user", "connect-link", "settings"}:
        tab.page.goto(PAGES[name].partition("?")[0])
        expect(tab.page.locator("#live > *").first).to_be_visible()
        wrong += look(tab.page, f"empty-{name}", BRIEFLY)
    assert wrong + tab.complaints == []
