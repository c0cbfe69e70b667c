"""How long each page of the admin takes, while the fleet is large."""

from __future__ import annotations

import secrets
import time

import requests

from benchmarks.queue.measure import Results, measured
from benchmarks.web.fleet import CAUSES, user_id
from benchmarks.web.stage import Stage
from pipeline.jobs import reading
from pipeline.web.access import accounts

#: Longest that a page may take.
PAGE_MS = 150


def time_pages(stage: Stage, rounds: int) -> Results:
    """Ask for every page in turn, `rounds` times, as one who is signed in."""
    session = _signed_in(stage.url)
    results: Results = {}
    for name, path in _pages().items():
        times = [_milliseconds(session, f"{stage.url}{path}") for _ in range(rounds + 1)]
        results[f"page_{name}_ms"] = measured(times[1:], at_most=PAGE_MS)
    return results


def _pages() -> dict[str, str]:
    """Return the address of every page, by its name."""
    [job] = reading.page("data-sync", "waiting", limit=1).jobs
    return {
        "overview": "/admin/queues",
        "queue": "/admin/queues/data-sync",
        "queue_last_tab": "/admin/queues/data-sync?state=failed",
        "jobs": "/admin/jobs",
        "jobs_of_a_user": f"/admin/jobs?q=user:{user_id(7)}",
        "job": f"/admin/jobs/{job.message_id}",
        "dead_letters": "/admin/dead-letters",
        "dead_letter_group": f"/admin/dead-letters/cause{CAUSES - 1:04}",
        "users": "/admin/users",
        "user": f"/admin/users/{user_id(7)}",
        "schedules": "/admin/schedules",
        "workers": "/admin/workers",
        "subscriptions": "/admin/subscriptions",
        "audit": "/admin/audit",
        "settings": "/admin/settings",
    }


def _signed_in(url: str) -> requests.Session:
    password = secrets.token_urlsafe(24)
    accounts.create("bench", password, by="bench", role="admin")
    session = requests.Session()
    session.headers.update({"Origin": url, "Accept": "text/html"})
    form = {"name": "bench", "password": password}
    session.post(f"{url}/admin/sign-in", data=form, timeout=30).raise_for_status()
    return session


def _milliseconds(session: requests.Session, url: str) -> float:
    begun = time.monotonic()
    response = session.get(url, timeout=60, allow_redirects=False)
    taken = (time.monotonic() - begun) * 1000
    response.raise_for_status()
    if response.status_code != 200:
        raise RuntimeError(f"{url} was answered {response.status_code}")
    return taken
