"""Task lists and tasks.

Shape: https://developers.google.com/workspace/tasks/reference/rest/v1/tasks#Task
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from pipeline.sandbox.data.event_times import Item, timestamp
from pipeline.sandbox.data.identifiers import task_id, task_list_id
from pipeline.sandbox.data.persona import Persona
from pipeline.sandbox.data.phrases import LIST_TITLES, TASK_TITLES

DEFAULT_LIST_TITLE = LIST_TITLES[0]
_POSITION_STEP = 1 << 16


def position(index: int) -> str:
    """Where a task stands among its siblings: a string that sorts as the number does."""
    return f"{index * _POSITION_STEP:020}"


def task_list(random: Random, title: str) -> Item:
    """A task list."""
    return {"id": task_list_id(random), "title": title}


def due_date(random: Random, now: datetime) -> str:
    """A due date: only the day counts, so the time is midnight UTC."""
    day = (now + timedelta(days=random.randint(-60, 45))).date()
    return f"{day.isoformat()}T00:00:00.000Z"


def completed(random: Random, now: datetime) -> Item:
    """What a finished task says about it."""
    moment = now - timedelta(seconds=random.randint(60, 60 * 86_400))
    return {"status": "completed", "completed": timestamp(moment)}


def _link(random: Random) -> Item:
    thread = f"{random.getrandbits(60):016x}"
    return {
        "type": "email",
        "description": "Re: Angebot",
        "link": f"https://mail.google.com/mail/#all/{thread}",
    }


def _assignment(random: Random) -> Item:
    document = random.randbytes(16).hex()
    return {
        "surfaceType": "DOCUMENT",
        "linkToTask": f"https://docs.google.com/document/d/{document}/edit?disco=AAA",
        "driveResourceInfo": {"driveFileId": document},
    }


def task(persona: Persona, random: Random, index: int) -> Item:
    """A top-level task; `index` is its place in the list."""
    item: Item = {
        "id": task_id(random),
        "title": random.choice(TASK_TITLES) if random.random() < 0.98 else "",
        "status": "needsAction",
        "position": position(index),
        "webViewLink": f"https://tasks.google.com/task/{random.getrandbits(60):x}",
    }
    if random.random() < 0.45:
        item["due"] = due_date(random, persona.now)
    if random.random() < 0.35:
        item |= completed(random, persona.now)
        if random.random() < 0.5:
            item["hidden"] = True
    if random.random() < 0.04:
        return item | {"assignmentInfo": _assignment(random)}
    if random.random() < 0.25:
        item["notes"] = random.choice(persona.phrases.sentences)
    if random.random() < 0.06:
        item["links"] = [_link(random)]
    return item


def may_be_parent(item: Item) -> bool:
    """Whether a task may have subtasks: not if it is one itself, nor if it was assigned."""
    return "parent" not in item and "assignmentInfo" not in item


def tasks(persona: Persona, list_id: str, count: int) -> Iterator[Item]:
    """`count` tasks of one list, parents before their subtasks."""
    random = persona.random(f"tasks/{list_id}")
    parent: Item | None = None
    for index in range(count):
        item = task(persona, random, index)
        if parent is not None and "assignmentInfo" not in item and random.random() < 0.35:
            item["parent"] = parent["id"]
        elif may_be_parent(item):
            parent = item
        yield item
