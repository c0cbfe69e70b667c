"""Changes in Google Tasks."""

from collections.abc import Callable

from pipeline.sandbox.changes import Change, Put, Remove
from pipeline.sandbox.data import tasks
from pipeline.sandbox.data.event_times import Item, timestamp
from pipeline.sandbox.data.phrases import LIST_TITLES, TASK_TITLES
from pipeline.sandbox.mutations.situation import Mutation, Situation

SOURCE = "google_tasks"
LISTS = "tasklists"
_MOST_LISTS = 8
#: Lists longer than this lose only tasks that have no subtasks for sure.
_MOST_SCANNED = 500
_MOST_CLEARED = 20


def stream_of(list_id: str) -> str:
    """The stream that holds a list's tasks."""
    return f"tasks/{list_id}"


def _put(list_id: str, task: Item) -> Put:
    return Put(SOURCE, stream_of(list_id), task["id"], task)


def _put_list(entry: Item) -> list[Change]:
    return [Put(SOURCE, LISTS, entry["id"], entry)]


def _is_open(task: Item) -> bool:
    return bool(task["status"] == "needsAction")


def _pick_task(
    situation: Situation, fits: Callable[[Item], object] | None = None
) -> tuple[str, Item] | None:
    """A list's id and one of its tasks."""
    entry = situation.pick(SOURCE, LISTS)
    if entry is None:
        return None
    task = situation.pick(SOURCE, stream_of(entry["id"]), fits)
    return None if task is None else (entry["id"], task)


def _new_task(situation: Situation, list_id: str) -> Item:
    """An open task at the end of a list."""
    index = situation.count(SOURCE, stream_of(list_id)) + situation.random.randint(1, 1000)
    task = tasks.task(situation.persona, situation.random, index)
    return {key: value for key, value in task.items() if key not in ("completed", "hidden")} | {
        "status": "needsAction"
    }


def add_task(situation: Situation) -> list[Change]:
    """A new task; if there is no list at all, the default one instead."""
    entry = situation.pick(SOURCE, LISTS)
    if entry is None:
        return _put_list(tasks.task_list(situation.random, tasks.DEFAULT_LIST_TITLE))
    return [_put(entry["id"], _new_task(situation, entry["id"]))]


def add_subtask(situation: Situation) -> list[Change]:
    """A new task under another one."""
    picked = _pick_task(situation, lambda task: tasks.may_be_parent(task) and _is_open(task))
    if picked is None:
        return []
    list_id, parent = picked
    task = _new_task(situation, list_id)
    task.pop("assignmentInfo", None)
    return [_put(list_id, task | {"parent": parent["id"]})]


def complete_task(situation: Situation) -> list[Change]:
    """A task is done."""
    picked = _pick_task(situation, _is_open)
    if picked is None:
        return []
    done = {"status": "completed", "completed": timestamp(situation.now)}
    return [_put(picked[0], {**picked[1], **done})]


def reopen_task(situation: Situation) -> list[Change]:
    """A task was not done after all; it shows again."""
    picked = _pick_task(situation, lambda task: not _is_open(task))
    if picked is None:
        return []
    list_id, task = picked
    kept = {key: value for key, value in task.items() if key not in ("completed", "hidden")}
    return [_put(list_id, {**kept, "status": "needsAction"})]


def clear_list(situation: Situation) -> list[Change]:
    """The done tasks of a list are hidden.

    Rule: https://developers.google.com/workspace/tasks/reference/rest/v1/tasks/clear
    """
    entry = situation.pick(SOURCE, LISTS)
    if entry is None:
        return []
    found = situation.items(SOURCE, stream_of(entry["id"]), _MOST_SCANNED)
    done = [task for task in found if not _is_open(task) and not task.get("hidden")]
    return [_put(entry["id"], {**task, "hidden": True}) for task in done[:_MOST_CLEARED]]


def change_due_date(situation: Situation) -> list[Change]:
    """Another due date, or none."""
    picked = _pick_task(situation, _is_open)
    if picked is None:
        return []
    list_id, task = picked
    if "due" in task and situation.random.random() < 0.25:
        return [_put(list_id, {key: value for key, value in task.items() if key != "due"})]
    return [_put(list_id, {**task, "due": tasks.due_date(situation.random, situation.now)})]


def edit_task(situation: Situation) -> list[Change]:
    """Another title, and notes unless the task was assigned from a document."""
    picked = _pick_task(situation)
    if picked is None:
        return []
    list_id, task = picked
    edited = {**task, "title": f"{situation.random.choice(TASK_TITLES)} ({situation.now:%H:%M})"}
    if "assignmentInfo" not in task:
        edited["notes"] = situation.random.choice(situation.persona.phrases.sentences)
    return [_put(list_id, edited)]


def _subtask_ids(situation: Situation, list_id: str, task: Item) -> list[str] | None:
    """The ids of a task's subtasks, or None if the list is too long to look."""
    stream = stream_of(list_id)
    if "parent" in task:
        return []
    if situation.count(SOURCE, stream) > _MOST_SCANNED:
        return None
    found = situation.items(SOURCE, stream, _MOST_SCANNED)
    return [other["id"] for other in found if other.get("parent") == task["id"]]


def delete_task(situation: Situation) -> list[Change]:
    """A task goes, its subtasks before it."""
    picked = _pick_task(situation)
    if picked is None:
        return []
    list_id, task = picked
    subtasks = _subtask_ids(situation, list_id, task)
    if subtasks is None:
        return []
    return [Remove(SOURCE, stream_of(list_id), task_id) for task_id in [*subtasks, task["id"]]]


def move_task(situation: Situation) -> list[Change]:
    """A task without subtasks goes to another list, to its top level, and keeps its id.

    Rule: https://developers.google.com/workspace/tasks/reference/rest/v1/tasks/move
    """
    picked = _pick_task(situation, lambda task: "assignmentInfo" not in task)
    target = situation.pick(SOURCE, LISTS)
    if picked is None or target is None or target["id"] == picked[0]:
        return []
    list_id, task = picked
    stays = situation.item(SOURCE, stream_of(target["id"]), task["id"]) is not None
    if stays or _subtask_ids(situation, list_id, task) != []:
        return []
    moved = {key: value for key, value in task.items() if key != "parent"}
    moved["position"] = tasks.position(situation.count(SOURCE, stream_of(target["id"])))
    return [Remove(SOURCE, stream_of(list_id), task["id"]), _put(target["id"], moved)]


def add_list(situation: Situation) -> list[Change]:
    """A new list; the first one is the default list."""
    count = situation.count(SOURCE, LISTS)
    if count >= _MOST_LISTS:
        return []
    title = situation.random.choice(LIST_TITLES[1:]) if count else tasks.DEFAULT_LIST_TITLE
    return _put_list(tasks.task_list(situation.random, title))


def _is_further(entry: Item) -> bool:
    """Whether a list is not the default one, which Google lets nobody delete."""
    return bool(entry["title"] != tasks.DEFAULT_LIST_TITLE)


def rename_list(situation: Situation) -> list[Change]:
    """Another title for a list."""
    entry = situation.pick(SOURCE, LISTS, _is_further)
    if entry is None:
        return []
    title = f"{situation.random.choice(LIST_TITLES)} {situation.now.year}"
    return _put_list({**entry, "title": title})


def remove_list(situation: Situation) -> list[Change]:
    """A list goes, and its tasks with it."""
    entry = situation.pick(SOURCE, LISTS, _is_further)
    return [Remove(SOURCE, LISTS, entry["id"])] if entry else []


#: How often each change is proposed, by weight.
MIX: dict[Mutation, int] = {
    add_task: 8, add_subtask: 2, complete_task: 6, reopen_task: 2, clear_list: 1,
    change_due_date: 3, edit_task: 3, delete_task: 3, move_task: 2, add_list: 1, rename_list: 1,
    remove_list: 1,
}  # fmt: skip
