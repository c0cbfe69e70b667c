"""Who sits before the browser, and what they sit before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request

from pipeline.sandbox.client import SandboxClient

ADMIN, PASSWORD = "ada", "orange-river-lamp-7"
HEADRACE = [sys.executable, "-m", "pipeline.cli"]
#: A web that has just started beside a busy worker takes its time.
_SIGN_IN_SECONDS = 90


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a command of `headrace` until the end of the block."""
    with log.open("wb") as output:
        process = psutil.Popen(
            [*HEADRACE, *command], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@dataclass(frozen=True)
class Web:
    """A web that runs, and the command line beside it."""

    url: str
    environment: dict[str, str]

    def headrace(self, *args: str, **settings: str) -> str:
        """Run `headrace` as an operator would; return what it prints."""
        done = self._run(*args, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **settings}
        return subprocess.run(
            [*HEADRACE, *args], env=environment, capture_output=True, text=True, check=False
        )

    def answers(self) -> bool:
        """Return whether it has started."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except OSError:
            return False

    def let_in(self, name: str, role: str) -> None:
        """Make an account."""
        self.headrace(
            "admin", "create-user", name, "--role", role, HEADRACE_ADMIN_PASSWORD=PASSWORD
        )


@dataclass(frozen=True)
class Site(Web):
    """All of Headrace: also its provider, and its processes."""

    folder: Path
    sandbox: SandboxClient
    up: psutil.Process

    def is_fresh(self) -> bool:
        """Return whether every source of every user has been synced."""
        # Its exit code tells whether all is well; here that does not matter.
        sources = json.loads(self._run("status", "--json").stdout)["sources"]
        return all(source["users"] and source["fresh"] == source["users"] for source in sources)

    @property
    def web(self) -> psutil.Process:
        """The process that serves the pages."""
        return next(child for child in self.up.children() if child.cmdline()[-1] == "web")

    @property
    def redis(self) -> psutil.Process:
        """The process of Redis, as the data folder tells."""
        record = json.loads((self.folder / "run" / "redis.json").read_text(encoding="utf-8"))
        return psutil.Process(record["process"]["pid"])


@contextmanager
def hanging(process: psutil.Process) -> Iterator[None]:
    """Keep a process from doing anything, as if it hung."""
    process.suspend()
    try:
        yield
    finally:
        if process.is_running():
            process.resume()


@dataclass
class Tab:
    """A page, and what its console complains of: errors, and breaches of the security policy."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    streams: set[Request] = field(default_factory=set)
    """Event streams that are open."""

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._answered)
        self.page.on("requestfailed", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).path == "/admin/live":
            self.streams.add(request)

    def _answered(self, request: Request) -> None:
        self.streams.discard(request)


def sign_in(page: Page, name: str = ADMIN, password: str = PASSWORD) -> None:
    """Fill in and send the form of the sign-in."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


@contextmanager
def signed_in(chrome: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser profile that has signed in at `url`, by its cookie: the form has own tests.

    Of a web that does not answer in time it says so once and plainly.
    """
    form = {"name": ADMIN, "password": PASSWORD}
    answer = requests.post(
        f"{url}/admin/sign-in",
        data=form,
        headers={"Origin": url},
        allow_redirects=False,
        timeout=_SIGN_IN_SECONDS,
    )
    assert answer.status_code == 303, f"signing in answered {answer.status_code}"
    with chrome.new_context(base_url=url) as context:
        context.add_cookies(
            [{"name": one.name, "value": one.value or "", "url": url} for one in answer.cookies]
        )
        yield context


@contextmanager
def without_loading(page: Page) -> Iterator[None]:
    """Fail if the page is loaded anew meanwhile: it is to change by itself."""
    page.evaluate("window.stays = true")
    yield
    assert page.evaluate("window.stays === true"), "the page was loaded anew"


def fact(place: Locator, label: str) -> Locator:
    """Return what the facts of a card say under `label`."""
    return place.locator(f".facts > div:has(dt:text-is('{label}')) dd")
