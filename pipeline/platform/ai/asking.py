"""Asking for something, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import AiRequest
from models.ai import AI_OPEN
from pipeline import dispatch
from pipeline.platform.ai import rows, tasks
from pipeline.platform.ai.tasks import Task
from pipeline.refusals import Refused
from pipeline.stores import Row, collection


def ask(
    tenant_id: str,
    type: str,  # noqa: A002  the word of the API
    *,
    entity: tuple[str, str] | None = None,
    content: str | None = None,
    options: Mapping[str, Any] | None = None,
    user_id: str | None = None,
    by: str,
) -> Row:
    """Ask for a summary, a translation, … and return the row of the request.

    Of an entity, ("record", its id in hexadecimal) or ("thread", "<source>:<id>") of
    `user_id`, or of a text, `content`, whose id is a hash of it whatever is given.
    What was asked before, of the same content, is not asked again: its row is returned; if it
    had failed it is tried once more.

    Raises Refused that names the field for what cannot be asked, and what the stores raise;
    a request that was kept then is found by the next tick.
    """
    row = rows.keep(_task(tenant_id, type, entity, content, options, user_id), by)
    if row["status"] == "queued":
        queue(row)
    return row


def queue(row: Row) -> None:
    """Queue the job of a request, unless it is there.  Raises redis.RedisError."""
    dispatch.send("run_ai", row["_id"], tenant_id=row["tenant_id"])


def retry(tenant_id: str, request_id: str) -> Row:
    """Have a request that has failed tried again, and return its row.

    Raises Refused if the tenant has no such request, or it has not failed.
    """
    row = collection(AiRequest).find_one({"_id": request_id, "tenant_id": tenant_id})
    if row is None:
        raise Refused("request_id", "there is no such request")
    if row["status"] != "failed":
        still = "it is not over yet" if row["status"] in AI_OPEN else f"it is {row['status']}"
        raise Refused("request_id", f"only what has failed is tried again; {still}")
    row = rows.again(request_id, ("failed",))
    queue(row)
    return row


def _task(
    tenant_id: str,
    type_name: str,
    entity: tuple[str, str] | None,
    content: str | None,
    options: Mapping[str, Any] | None,
    user_id: str | None,
) -> Task:
    if entity is None or entity[0] == "text":
        return tasks.of_text(tenant_id, type_name, content, options, user_id)
    if content is not None:
        raise Refused("content", f"a {entity[0]} has its own content: give one of the two")
    return tasks.of_entity(tenant_id, type_name, entity, options, user_id)
