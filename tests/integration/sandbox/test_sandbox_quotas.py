"""Quotas: real numbers, refusals in each API's own words, windows that slide."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google_client import reason
from googleapiclient.errors import HttpError
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox.calls import ApiError
from pipeline.sandbox.clock import Clock
from pipeline.sandbox.quotas import PROFILES, Quotas


@pytest.fixture
def quotas(sandbox):
    """Quotas are on, at a thousandth unless a test says otherwise."""
    sandbox.settings(quotas_enabled=True)
    sandbox.clear_usage()
    return sandbox


def refused(request) -> HttpError:
    with pytest.raises(HttpError) as error:
        request.execute()
    return error.value


def until_refused(build) -> tuple[int, HttpError]:
    """How many calls went well, and the first that did not."""
    for count in range(10_000):
        try:
            build().execute()
        except HttpError as error:
            return count, error
    raise AssertionError("never refused")


def test_calendar_refuses_a_user_with_403(quotas, new_user, sign_in):
    quotas.settings(quota_scale=0.05)
    first, second = sign_in(new_user()), sign_in(new_user())
    count, error = until_refused(lambda: first.calendar.calendarList().list())
    assert count == 30
    assert (error.status_code, reason(error)) == (403, "userRateLimitExceeded")
    assert second.calendar.calendarList().list().execute()["items"]
    quotas.clock(60)
    assert first.calendar.calendarList().list().execute()["items"]


def test_gmail_counts_units_and_names_the_moment(quotas, new_user, sign_in):
    quotas.settings(quota_scale=0.01)  # 60 units: three messages
    google = sign_in(new_user(messages=1))
    listed = google.gmail.messages().list(userId="me", includeSpamTrash=True).execute()
    (entry,) = listed["messages"]
    quotas.clock(60)
    get = google.gmail.messages().get
    count, error = until_refused(lambda: get(userId="me", id=entry["id"]))
    assert count == 3
    assert error.status_code == 429
    assert "User-rate limit exceeded.  Retry after 20" in error.reason
    assert "retry-after" not in error.resp


def test_people_refuse_with_google_rpc(quotas, new_user, sign_in):
    quotas.settings(quota_scale=0.1)
    google = sign_in(new_user())
    get = google.people.get
    count, error = until_refused(lambda: get(resourceName="people/me", personFields="names"))
    body = json.loads(error.content)["error"]
    assert count == 9
    assert (error.status_code, body["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "errors" not in body


def test_the_first_page_of_a_full_sync_has_a_quota_of_its_own(quotas, new_user, sign_in):
    google = sign_in(new_user())
    params = {"resourceName": "people/me", "personFields": "names"}
    count, error = until_refused(lambda: google.people.connections().list(**params))
    assert (count, error.status_code) == (6, 429)


def test_tasks_have_a_budget_for_the_day(quotas, new_user, sign_in):
    quotas.settings(quota_scale=0.0002)  # ten calls for the whole project
    first, second = sign_in(new_user()), sign_in(new_user())
    count, error = until_refused(lambda: first.tasks.tasklists().list())
    assert count == 10
    assert (error.status_code, reason(error)) == (403, "dailyLimitExceeded")
    assert refused(second.tasks.tasklists().list()).status_code == 403
    quotas.clock(3600)
    assert refused(second.tasks.tasklists().list()).status_code == 403


def test_a_refused_call_costs_nothing(quotas, new_user, sign_in):
    quotas.settings(quota_scale=0.01)
    google = sign_in(new_user())
    until_refused(lambda: google.calendar.calendarList().list())
    rows = {row["code"]: row for row in quotas.usage() if row["api"] == "calendar"}
    assert (rows[200]["calls"], rows[200]["units"]) == (6, 6)
    assert (rows[403]["calls"], rows[403]["units"]) == (1, 0)


def test_quotas_can_be_switched_off(quotas, new_user, sign_in):
    quotas.settings(quotas_enabled=False, quota_scale=0.001)
    google = sign_in(new_user())
    for _ in range(5):
        google.calendar.calendarList().list().execute()


def test_too_many_parallel_gmail_calls_of_one_user_are_refused():
    quotas = Quotas(Clock())
    inside, leave = threading.Barrier(21), threading.Event()

    def call() -> None:
        with quotas.in_flight("gmail", "ada"):
            inside.wait(10)
            leave.wait(10)

    with ThreadPoolExecutor(20) as pool:
        running = [pool.submit(call) for _ in range(20)]
        inside.wait(10)
        with pytest.raises(ApiError) as error, quotas.in_flight("gmail", "ada"):
            pass
        with quotas.in_flight("gmail", "bob"), quotas.in_flight("calendar", "ada"):
            pass
        leave.set()
        for future in running:
            future.result()
    assert error.value.status == 429
    with quotas.in_flight("gmail", "ada"):
        pass


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 20), min_size=50, max_size=400),
    cost=st.sampled_from(["users.messages.get", "users.history.list", "users.threads.get"]),
)
def test_no_window_ever_holds_more_than_the_limit(gaps, cost):
    clock = Clock()
    quotas = Quotas(clock)
    units = PROFILES["gmail"].costs[cost]
    quotas.settings = quotas.settings.changed({"quota_scale": 0.05})
    spent: list[tuple[float, int]] = []
    for gap in gaps:
        clock.advance(gap)
        now = clock.now().timestamp()
        try:
            quotas.take("gmail", cost, "ada")
        except ApiError:
            continue
        spent.append((now, units))
        recent = sum(cost for at, cost in spent if at > now - 59.9)
        assert recent <= 300
