"""Tasks: what each flag shows, bounds, tombstones, lists that go."""

from __future__ import annotations

from typing import Any

import pytest
from google_client import pages
from googleapiclient.errors import HttpError

TASKS = "google_tasks"
EVERYTHING = {"showHidden": True, "showDeleted": True, "showAssigned": True}
ITEMS: dict[str, dict[str, Any]] = {
    "open": {
        "title": "Open",
        "due": "2026-05-01T00:00:00.000Z",
        "position": "00000000000000000002",
    },
    "done": {
        "title": "Done",
        "status": "completed",
        "completed": "2026-04-01T10:00:00.000Z",
        "position": "00000000000000000001",
    },
    "hidden": {
        "title": "Cleared",
        "status": "completed",
        "completed": "2026-03-01T10:00:00.000Z",
        "hidden": True,
        "position": "00000000000000000003",
    },
    "assigned": {
        "title": "Assigned",
        "assignmentInfo": {"surfaceType": "DOCUMENT", "linkToTask": "https://docs.example"},
        "position": "00000000000000000004",
    },
    "gone": {"title": "Gone", "position": "00000000000000000005"},
}


@pytest.fixture
def ada(sandbox, new_user):
    """A user with a list `work`, which has one task of every kind."""
    user = new_user()
    sandbox.put(user, TASKS, "tasklists", "work", {"title": "Work"})
    for task_id, item in ITEMS.items():
        sandbox.put(user, TASKS, "tasks/work", task_id, {"status": "needsAction"} | item)
    sandbox.remove(user, TASKS, "tasks/work", "gone")
    return user


def listed(google, **params: Any) -> list[str]:
    found = pages(google.tasks.tasks().list, tasklist="work", **params)
    return [item["id"] for page in found for item in page["items"]]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["done", "open"]),
        ({"showCompleted": False}, ["open"]),
        ({"showHidden": True}, ["done", "open", "hidden"]),
        ({"showHidden": True, "showCompleted": False}, ["open"]),
        ({"showAssigned": True}, ["done", "open", "assigned"]),
        ({"showDeleted": True}, ["done", "open", "gone"]),
        (EVERYTHING, ["done", "open", "hidden", "assigned", "gone"]),
        (EVERYTHING | {"maxResults": 2}, ["done", "open", "hidden", "assigned", "gone"]),
        ({"dueMin": "2026-05-01T00:00:00Z"}, ["open"]),
        ({"dueMax": "2026-05-01T00:00:00Z"}, []),
        ({"completedMin": "2026-04-01T00:00:00Z", "showHidden": True}, ["done"]),
        ({"completedMax": "2026-04-01T00:00:00Z", "showHidden": True}, ["hidden"]),
    ],
)
def test_flags_and_bounds_decide_what_is_listed(ada, sign_in, params, expected):
    assert listed(sign_in(ada), **params) == expected


def test_updated_min_is_inclusive(sandbox, ada, sign_in):
    google = sign_in(ada)
    newest = max(
        (item["updated"], item["id"])
        for page in pages(google.tasks.tasks().list, tasklist="work", **EVERYTHING)
        for item in page["items"]
    )
    assert newest[1] == "gone"
    assert newest[1] in listed(google, updatedMin=newest[0], **EVERYTHING)
    sandbox.put(ada, TASKS, "tasks/work", "open", {"title": "Changed", "position": "1"})
    assert "open" in listed(google, updatedMin=newest[0], **EVERYTHING)


def test_a_tombstone_says_that_it_is_deleted(ada, sign_in):
    found = sign_in(ada).tasks.tasks().get(tasklist="work", task="gone").execute()
    assert found["deleted"] is True


def test_a_page_holds_twenty_tasks_unless_told_otherwise(sandbox, new_user, sign_in):
    google = sign_in(new_user(tasks=130))
    lists = google.tasks.tasklists().list().execute()["items"]
    page = google.tasks.tasks().list(tasklist=lists[0]["id"], **EVERYTHING)
    assert len(page.execute()["items"]) == 20
    page = google.tasks.tasks().list(tasklist=lists[0]["id"], maxResults=500, **EVERYTHING)
    assert len(page.execute()["items"]) == 100


def test_a_deleted_list_is_gone_with_its_tasks(sandbox, ada, sign_in):
    google = sign_in(ada)
    sandbox.remove(ada, TASKS, "tasklists", "work")
    lists = google.tasks.tasklists().list().execute()["items"]
    assert "work" not in [item["id"] for item in lists]
    with pytest.raises(HttpError) as refused:
        listed(google)
    assert refused.value.status_code == 404
    assert {stream for stream, _, _ in sandbox.truth(ada, TASKS)} == {"tasklists"}


def test_the_first_list_can_be_called_default(new_user, sign_in):
    google = sign_in(new_user(tasks=3))
    found = google.tasks.tasklists().get(tasklist="@default").execute()
    assert google.tasks.tasks().list(tasklist="@default").execute()["kind"] == "tasks#tasks"
    assert google.tasks.tasklists().get(tasklist=found["id"]).execute() == found


def test_a_task_completed_without_a_time_gets_one(sandbox, ada, sign_in):
    item = {"title": "Done now", "status": "completed"}
    sandbox.put(ada, TASKS, "tasks/work", "quick", item)
    found = sign_in(ada).tasks.tasks().get(tasklist="work", task="quick").execute()
    assert found["completed"] == found["updated"]
