"""The page of one user: each source and why it is as it is, and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from pipeline.jobs.redaction import masked
from pipeline.mailbox import mailboxes
from pipeline.sync.held import pauses_of_syncs
from pipeline.users import acting, activity, dry_runs, erasing, leaving
from pipeline.users.status import UserStatus, status_of
from pipeline.web.connect.links import HOUR_SECONDS, connect_link
from pipeline.web.connect.providers import PROVIDERS
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import part

_LIST = "/admin/users"
_ONE = f"{_LIST}/{{user_id:id}}"
#: How long a pause may last, as a person chooses.
_PAUSES = {"3600": "an hour", "86400": "a day", "604800": "a week", "": "until it is resumed"}
_LINK_SECONDS = 24 * HOUR_SECONDS


def _read(visit: Visit) -> Mapping[str, Any]:
    user_id = visit.path["user_id"]
    pauses = part("redis", pauses_of_syncs, keep="pauses of syncs")

    def read() -> UserStatus:
        status = status_of(user_id, pauses=pauses.value or ())
        if status is None:
            raise NotFound(f"there is no user {user_id!r}")
        return status

    user = part("mongodb", read, keep=f"user {user_id}")
    mailbox = part("mongodb", lambda: mailboxes.of_user(user_id)).value
    sources = [source.source for source in user.value.sources] if user.value else []
    jobs = f'user:"{user_id}"'
    return {
        "title": user_id,
        "user_id": user_id,
        "url": f"{_LIST}/{segment(user_id)}",
        "user": user,
        "pauses": pauses,
        "tried": part("redis", lambda: dry_runs.tried(user_id, sources)),
        "lasting": list(_PAUSES.items()),
        "mailbox_url": f"/admin/mailboxes/{segment(mailbox['_id'])}" if mailbox else "",
        "search_url": f"/admin/search?user={segment(user_id)}",
        "jobs_url": f"/admin/jobs?q={segment(jobs)}",
        "failed_url": f"/admin/jobs?state=failed&q={segment(jobs)}",
        "subscriptions_url": f"/admin/subscriptions?user={segment(user_id)}",
    }


def _read_link(visit: Visit) -> Mapping[str, Any]:
    user_id = visit.path["user_id"]

    def read() -> list[tuple[str, str]]:
        status = status_of(user_id, pauses=())
        if status is None:
            raise NotFound(f"there is no user {user_id!r}")
        made = partial(connect_link, user_id, lifetime_seconds=_LINK_SECONDS)
        return [
            (one.title, made(provider=one.name, tenant_id=status.tenant_id))
            for one in PROVIDERS.values()
        ]

    return {
        "title": f"Connect link for {user_id}",
        "url": f"{_LIST}/{segment(user_id)}",
        "links": part("mongodb", read),
        "hours": _LINK_SECONDS // HOUR_SECONDS,
    }


def _acting(act: Callable[[Visit, str], Done]) -> Callable[[Visit], Done]:
    """Have `act` called with the user's id."""
    return lambda visit: act(visit, visit.path["user_id"])


def _chosen(visit: Visit) -> list[str] | None:
    source = visit.said("source")
    return [source] if source else None


def _sync(visit: Visit, user_id: str) -> Done:
    return _asked(acting.sync_now(user_id, _chosen(visit)), "synced now")


def _resync(visit: Visit, user_id: str) -> Done:
    return _asked(acting.resync(user_id, _chosen(visit)), "listed anew")


def _asked(asked: list[acting.Asked], what: str) -> Done:
    new = sum(one.created for one in asked)
    names = ", ".join(one.source for one in asked)
    rest = "" if new == len(asked) else f" Of its jobs, {len(asked) - new} waited or ran already."
    jobs = ", ".join(one.message_id for one in asked)
    return Done(f"To be {what}: {names}.{rest}", {"sources": names, "jobs": jobs})


def _dry_run(visit: Visit, user_id: str) -> Done:
    found = dry_runs.try_out(user_id, visit.said("source"), visit.principal.name)
    counts = found.counts
    text = (
        f"A sync of {found.source} would create {counts.created:,}, update {counts.updated:,} "
        f"and delete {counts.deleted:,} records. Nothing was written."
    )
    details = {"source": found.source, "calls": found.calls, "units": found.units}
    return Done(text, details)


def _pause(visit: Visit, user_id: str) -> Done:
    reason, lasting = visit.said("reason"), visit.said("lasting")
    if lasting not in _PAUSES:
        raise Conflict("choose how long the pause is to last")
    until = visit.now + timedelta(seconds=int(lasting)) if lasting else None
    acting.pause(user_id, reason=reason, by=visit.principal.name, until=until)
    details = {"reason": reason, "until": until}
    return Done(f"Paused: {_PAUSES[lasting]}. What runs, goes on.", details)


def _resume(_: Visit, user_id: str) -> Done:
    if not acting.resume(user_id):
        raise Conflict("The user is not paused.")
    return Done("Goes on: what waited longest comes first.")


def _deactivate(visit: Visit, user_id: str) -> Done:
    if not activity.deactivate(user_id, visit.principal.name):
        raise Conflict("The user was not active before.")
    return Done("Not active any more: nothing is done for the user. The copy stays.")


def _activate(visit: Visit, user_id: str) -> Done:
    if not activity.activate(user_id, visit.principal.name):
        raise Conflict("The user was active before.")
    return Done("Active again: what had stopped goes on.")


def _disconnect(visit: Visit, user_id: str) -> Done:
    _check_typed(visit, user_id)
    provider = visit.said("provider")
    leaving.begin_disconnect(user_id, provider, visit.principal.name)
    text = f"Disconnected from {provider}: syncs have stopped, a job revokes the grant."
    return Done(text, {"provider": provider})


def _erase(visit: Visit, user_id: str) -> Done:
    _check_typed(visit, user_id)
    job = erasing.begin_erase(user_id, visit.principal.name)
    return Done("Being erased, from every store and at the provider.", {"job": masked(job)}, _LIST)


def _check_typed(visit: Visit, user_id: str) -> None:
    if visit.said("typed") != user_id.strip():
        raise Conflict("What was typed is not the id of this user; nothing was done.")


routes = [
    page(_ONE, "user", _read, title="User", nav="users"),
    page(
        f"{_ONE}/connect-link",
        "user_link",
        _read_link,
        title="Connect link",
        role="operator",
        nav="users",
        seconds=3600,
    ),
    action(f"{_ONE}/sync", _acting(_sync), name="user.sync"),
    action(f"{_ONE}/resync", _acting(_resync), name="user.resync"),
    action(f"{_ONE}/dry-run", _acting(_dry_run), name="user.dry_run"),
    action(f"{_ONE}/pause", _acting(_pause), name="user.pause"),
    action(f"{_ONE}/resume", _acting(_resume), name="user.resume"),
    action(f"{_ONE}/deactivate", _acting(_deactivate), name="user.deactivate"),
    action(f"{_ONE}/activate", _acting(_activate), name="user.activate"),
    action(f"{_ONE}/disconnect", _acting(_disconnect), name="user.disconnect"),
    action(f"{_ONE}/erase", _acting(_erase), name="user.erase", role="admin"),
]
