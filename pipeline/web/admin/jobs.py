"""The Jobs page: jobs of all queues, searched; and acting on those that are selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.jobs.reading import depths
from pipeline.queues import QUEUES
from pipeline.web.admin import job_list
from pipeline.web.admin.job_actions import Act, cancel, many, promote, retry
from pipeline.web.pages import Conflict, Done, Visit, action, page
from pipeline.web.stores import part


def _read(visit: Visit) -> Mapping[str, Any]:
    wanted = job_list.asked(visit.query)
    queues = wanted.query.queues or tuple(QUEUES)
    counts = part("redis", lambda: depths(queues)).value
    return job_list.context(visit, wanted, counts)


def _acting(act: Act, done: str) -> Any:
    """Return the action that does this to the jobs that a form names."""

    def perform(visit: Visit) -> Done:
        return many(_chosen(visit), act, visit.principal.name, done)

    return perform


def _chosen(visit: Visit) -> list[str]:
    """Return the message ids that a form names: those ticked, or all that fit what it asks for.

    Raises Conflict for none, or too many.
    """
    if visit.said("all"):
        given = {name: visit.said(name) for name in ("q", "state", "queue")}
        wanted = job_list.asked(given, given["queue"] if given["queue"] in QUEUES else "")
        found = job_list.page_of(replace(wanted, before=None), job_list.MOST_AT_ONCE)
        if found.next:
            raise Conflict(
                f"More than {job_list.MOST_AT_ONCE:,} jobs fit; nothing was done. Narrow them down."
            )
        chosen = [entry.message_id for entry in found.jobs]
    else:
        chosen = list(dict.fromkeys(str(name) for name in visit.form.getlist("id")))
    if not chosen:
        raise Conflict("No job is selected.")
    return chosen[: job_list.MOST_AT_ONCE]


routes = [
    page("/admin/jobs", "jobs", _read, title="Jobs"),
    action("/admin/jobs/promote", _acting(promote, "Started now"), name="jobs.promote"),
    action("/admin/jobs/cancel", _acting(cancel, "Cancelled"), name="jobs.cancel"),
    action("/admin/jobs/retry", _acting(retry, "Retried"), name="jobs.retry"),
]
