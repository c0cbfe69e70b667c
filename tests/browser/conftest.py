"""A whole Headrace with demo users, and a browser in front of it.

Chromium is the machine's (`CHROMIUM`, else on the path); without one these tests
are skipped, but in CI they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values
from operators import ADMIN, Site, Tab, running, signed_in
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from waiting import wait_until

from pipeline.config import Settings, env_name
from pipeline.sandbox.client import SandboxClient

DEMO_USERS = 3
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: For what a worker, a provider and a look at the stores come to, on a busy machine.
_PATIENCE_MS = 30_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = "no Chromium: install one (Debian: apt install chromium), or name it in CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Site]:
    """`headrace up --demo` with an admin; all demo users are fresh."""
    folder = tmp_path_factory.mktemp("site")
    environment = _environment(folder)
    with running(["up", "--demo", str(DEMO_USERS)], folder / "up.log", environment) as up:
        wait_until(lambda: (folder / "env").exists(), f"the servers run; see {folder}", 60)
        settings = dotenv_values(folder / "env")
        sandbox = SandboxClient(str(settings["GOOGLE_API_BASE_URL"]))
        made = Site(str(settings["PUBLIC_BASE_URL"]), environment, folder, sandbox, up)
        wait_until(made.answers, f"the web answers; see {folder}/log", 60)
        made.let_in(ADMIN, "admin")
        wait_until(made.is_fresh, "all demo users are fresh", 90, every_seconds=1)
        yield made
        sandbox.close()


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is set but the data folder."""
    known = {env_name(field) for field in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in known}
    return kept | {"HEADRACE_DATA_DIR": str(folder)}


@pytest.fixture(scope="session")
def chrome(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        # Containers run as root, where Chromium's own sandbox does not.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cookies(chrome: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser profile that has signed in, once for all tests."""
    with signed_in(chrome, site.url) as context:
        yield context


@pytest.fixture
def tab(cookies: BrowserContext) -> Iterator[Tab]:
    """A tab of somebody signed in; what its console complains of fails the test."""
    opened = Tab(cookies.new_page())
    yield opened
    opened.page.close()
    assert opened.complaints == []


@pytest.fixture
def stranger(chrome: Browser, site: Site) -> Iterator[Tab]:
    """A tab of somebody who has not signed in."""
    context = chrome.new_context(base_url=site.url)
    opened = Tab(context.new_page())
    yield opened
    context.close()
    assert opened.complaints == []
