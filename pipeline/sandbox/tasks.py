"""Tasks v1, read side.  There is no cursor: callers ask by `updatedMin`.

https://developers.google.com/workspace/tasks/reference/rest/v1/tasks/list
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Handler, Method, Reply, dump_json, not_found
from pipeline.sandbox.listing import BY_ID, BY_SORT, Selection
from pipeline.sandbox.paging import Position, list_rows, splice
from pipeline.sandbox.stamps import TASKS

_AUTH = "https://www.googleapis.com/auth/tasks"
_SCOPES = frozenset((_AUTH, f"{_AUTH}.readonly"))
#: The list that everybody has can be called by this name.
_DEFAULT_LIST = "@default"


def list_task_lists(call: Call) -> Reply:
    """Deleted lists are simply not there any more."""
    stream_n = call.store.stream_n(call.user, TASKS, "tasklists")
    assert stream_n is not None  # made with the user
    size = call.number("maxResults", 1000, 1000)
    return _listed(call, Selection(stream_n, BY_ID), "tasks#taskLists", size)


def get_task_list(call: Call) -> Reply:
    stream_n = call.store.stream_n(call.user, TASKS, "tasklists")
    return _item(call, stream_n, _list_id(call))


def list_tasks(call: Call) -> Reply:
    size = call.number("maxResults", 20, 100)
    conditions, values = _conditions(call)
    selection = Selection(_tasks_stream(call), BY_SORT, " AND ".join(conditions), tuple(values))
    return _listed(call, selection, "tasks#tasks", size)


def get_task(call: Call) -> Reply:
    """Deleted tasks are found, marked as such."""
    return _item(call, _tasks_stream(call), call.path_values["task"])


def _conditions(call: Call) -> tuple[list[str], list[Any]]:
    visible = ["live = 1"]
    if not call.flag("showCompleted", True):
        visible.append("instr(tags, ',completed,') = 0")
    if not call.flag("showHidden", False):
        visible.append("instr(tags, ',hidden,') = 0")
    shown = " AND ".join(visible)
    conditions = ["sort IS NOT NULL"]
    conditions.append(f"({shown} OR live = 0)" if call.flag("showDeleted", False) else shown)
    if not call.flag("showAssigned", False):
        conditions.append("instr(tags, ',assignmentInfo,') = 0")
    values: list[Any] = []
    for name, condition in _BOUNDS.items():
        bound = call.when_ms(name)
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    return conditions, values


#: `starts_ms` is the due date and `ends_ms` the completion.
_BOUNDS = {
    "updatedMin": "updated_ms >= ?",
    "dueMin": "starts_ms >= ?",
    "dueMax": "starts_ms < ?",
    "completedMin": "ends_ms >= ?",
    "completedMax": "ends_ms < ?",
}


def _listed(call: Call, selection: Selection, kind: str, size: int) -> Reply:
    token = call.text("pageToken")
    position = Position(call.store.rev(call.user))
    if token is not None:
        found = Position.of(call, token, selection.stream_n)
        if found is None:
            message = "Invalid page token."
            raise ApiError(HTTPStatus.BAD_REQUEST, "invalid", message)
        position = found
    listed = list_rows(call, "body", selection, position, size)
    wrapper = {"kind": dump_json(kind), "etag": dump_json(f'"p{position.first_rev}"')}
    if listed.next_page_token is not None:
        wrapper["nextPageToken"] = dump_json(listed.next_page_token)
    return Reply.of(splice(wrapper, "items", [row[0] for row in listed.rows]))


def _list_id(call: Call) -> str:
    wanted = call.path_values["tasklist"]
    if wanted != _DEFAULT_LIST:
        return wanted
    first = call.store.item_ids(call.user.user, TASKS, "tasklists", 1)
    return first[0] if first else wanted


def _tasks_stream(call: Call) -> int:
    stream_n = call.store.stream_n(call.user, TASKS, f"tasks/{_list_id(call)}")
    if stream_n is None:
        raise not_found("Task list not found.")
    return stream_n


def _item(call: Call, stream_n: int | None, item_id: str) -> Reply:
    sql = "SELECT body FROM items WHERE stream_n = ? AND item_id = ?"
    row = call.store.database.row(sql, stream_n, item_id)
    if row is None:
        raise not_found("Task not found." if "task" in call.path_values else "Task list not found.")
    return Reply.of(row[0])


_LISTS = "/tasks/v1/users/@me/lists"
_TASKS = "/tasks/v1/lists/{tasklist}/tasks"


def _method(name: str, path: str, handler: Handler) -> Method:
    return Method("tasks", name, "GET", path, _SCOPES, handler)


METHODS = (
    _method("tasklists.list", _LISTS, list_task_lists),
    _method("tasklists.get", _LISTS + "/{tasklist}", get_task_list),
    _method("tasks.list", _TASKS, list_tasks),
    _method("tasks.get", _TASKS + "/{task}", get_task),
)
