"""Google Tasks in the graph.

Tasks: https://developers.google.com/workspace/tasks/reference/rest/v1/tasks
"""

from __future__ import annotations

from typing import Any

from pipeline.projections.graph.fields import day, flag, moment, name, present, sibling_key, text
from pipeline.projections.graph.model import Drawing, NodeId, Shape

FIELDS: tuple[str, ...] = (
    "title", "notes", "status", "due", "completed", "hidden", "parent", "position", "updated",
    "webViewLink",
)  # fmt: skip


def task_list(node: NodeId, _parent_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a list."""
    title, updated_at = text(item.get("title")), moment(item.get("updated"))
    return Drawing(node, present(title=title, updated_at=updated_at))


def task(node: NodeId, list_id: str, item: dict[str, Any]) -> Drawing:
    """Return the drawing of a task."""
    properties = present(
        list_key=list_id,
        parent_key=sibling_key(node, list_id, item.get("parent")),
        title=text(item.get("title")),
        notes=text(item.get("notes")),
        status=name(item.get("status")),
        # Google keeps the date and drops the time.
        due_date=day(item.get("due")),
        completed_at=moment(item.get("completed")),
        hidden=flag(item.get("hidden")),
        position=name(item.get("position")),
        url=text(item.get("webViewLink")),
        updated_at=moment(item.get("updated")),
    )
    return Drawing(node, properties)


SHAPES: tuple[Shape, ...] = (
    Shape("tasklists", "TaskList", task_list),
    Shape("tasks/", "Task", task),
)
