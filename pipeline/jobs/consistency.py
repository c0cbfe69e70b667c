"""Whether what lies in Redis agrees with itself: every job in one place, and nothing left over.

For tests, chaos runs and a fleet that stands still: it reads key by key, so what moves
between two reads looks like a contradiction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from pipeline.jobs import layout
from pipeline.jobs.kept import Kept, read_all
from pipeline.stores import redis_client

_ALIVE = ("waiting", "delayed", "running")


def check() -> list[str]:
    """Return what contradicts layout.py, a sentence each; empty if all is well."""
    kept = read_all(redis_client())
    checks = (_live, _states, _lanes, _rings, _running, _busy, _outbox, _suspects, _left_over)
    return [finding for one in checks for finding in one(kept)]


def _live(kept: Kept) -> Iterator[str]:
    for job_id, message_id in kept.live.items():
        job = kept.jobs.get(message_id)
        if job is None:
            yield f"live job {job_id} names {message_id}, of which nothing is kept"
        elif job["job_id"] != job_id:
            yield f"live job {job_id} names {message_id}, which is of {job['job_id']}"
        elif job["state"] not in _ALIVE:
            yield f"live job {job_id} names {message_id}, which is {job['state']}"
    for message_id, job in kept.jobs.items():
        if job["state"] in _ALIVE and kept.live.get(job["job_id"]) != message_id:
            yield f"{message_id} is {job['state']}, but its job {job['job_id']} does not name it"


def _states(kept: Kept) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for state in layout.STATES:
        for queue, message_id in kept.all_in(state):
            places.setdefault(message_id, []).append(f"{queue}:{state}")
    for message_id, there in places.items():
        if message_id not in kept.jobs:
            yield f"{message_id} is in {there[0]}, but nothing else is kept of it"
    for message_id, job in kept.jobs.items():
        there = places.get(message_id, [])
        if there != [f"{job['queue']}:{job['state']}"]:
            found = " and ".join(there) or "no sorted set"
            yield f"{message_id} is {job['state']} on {job['queue']}, but in {found}"


def _lanes(kept: Kept) -> Iterator[str]:
    for name, queue in kept.queues.items():
        waiting = queue.states.get("waiting", set())
        times = Counter(chain.from_iterable(queue.lanes.values()))
        yield from (
            f"{one} is {times[one]} times in the lanes of {name}" for one in times if times[one] > 1
        )
        yield from (f"{one} waits in a lane of {name} only" for one in times.keys() - waiting)
        yield from (f"{one} waits on {name} in no lane" for one in waiting - times.keys())
        for lane, members in queue.lanes.items():
            for message_id in members:
                if kept.jobs.get(message_id, {}).get("lane") != lane:
                    yield f"{message_id} waits in lane {lane!r} of {name}, which is not its own"


def _rings(kept: Kept) -> Iterator[str]:
    for name, queue in kept.queues.items():
        open_lanes = {lane for lane in queue.lanes if f"l{lane}" not in queue.closed}
        yield from _differ(f"lanes of {name}", chain(*queue.rings.values()), open_lanes)
        tenants = {tenant for tenant in queue.rings if f"t{tenant}" not in queue.closed}
        yield from _differ(f"tenants of {name}", queue.tenants, tenants)
        for tenant, lanes in queue.rings.items():
            for lane in lanes:
                if _tenant_of(lane) != tenant:
                    yield f"lane {lane!r} of {name} is in the ring of tenant {tenant!r}"


def _differ(what: str, ring: Iterable[str], wanted: set[str]) -> Iterator[str]:
    """Yield what is in a ring and should not be, is missing, or is there twice."""
    times = Counter(ring)
    yield from (f"{one!r} is {times[one]} times in {what}" for one in times if times[one] > 1)
    yield from (
        f"{one!r} is in the ring of {what} without reason" for one in times if one not in wanted
    )
    yield from (f"{one!r} is missing in the ring of {what}" for one in wanted - times.keys())


def _tenant_of(lane: str) -> str:
    first = lane.partition("\n")[0]
    return first.removeprefix("tenant:") if first.startswith("tenant:") else ""


def _running(kept: Kept) -> Iterator[str]:
    holders = Counter(member for members in kept.running.values() for member in members)
    for member, times in holders.items():
        message_id = member.partition(" ")[0]
        state = kept.jobs.get(message_id, {}).get("state", "unknown")
        if times > 1:
            yield f"{member} is held by {times} workers"
        if state != "running":
            yield f"a worker holds {member}, which is {state}"
    for queue, message_id in kept.all_in("running"):
        job = kept.jobs.get(message_id)
        if job and f"{message_id} {job['deliveries']}" not in holders:
            yield f"{message_id} runs on {queue}, but no worker holds its latest delivery"
    for worker in kept.running.keys() - kept.beating:
        yield f"worker {worker} holds jobs, but its silence would never be noticed"


def _busy(kept: Kept) -> Iterator[str]:
    for name, queue in kept.queues.items():
        running = (kept.jobs.get(one, {}) for one in queue.states.get("running", ()))
        wanted = Counter(job["busy"] for job in running if job.get("busy"))
        for scope in queue.busy.keys() | wanted.keys():
            counted = queue.busy.get(scope, 0)
            if counted != wanted[scope]:
                yield f"{counted} jobs of {scope} count as running on {name}, not {wanted[scope]}"


def _outbox(kept: Kept) -> Iterator[str]:
    for message_id in kept.outbox:
        state = kept.jobs.get(message_id, {}).get("state", "unknown")
        if state != "failed":
            yield f"{message_id} shall become a dead letter, but it is {state}"


def _suspects(kept: Kept) -> Iterator[str]:
    for message_id, worker in kept.suspects.items():
        job = kept.jobs.get(message_id, {})
        state = job.get("state", "unknown")
        held = f"{message_id} {job.get('deliveries')}" in kept.running.get(worker, ())
        fits = held if state == "running" else not worker
        if state not in _ALIVE:
            yield f"{message_id} is a suspect, but it is {state}"
        elif not fits:
            yield f"suspect {message_id} is {state}, but noted with worker {worker or 'none'}"


def _left_over(kept: Kept) -> Iterator[str]:
    for kind, message_id in sorted(kept.attached):
        if message_id not in kept.jobs:
            yield f"{kind} of {message_id} are kept, but nothing else of it"
    yield from (f"key {name} has no place in layout.py" for name in kept.unknown)
