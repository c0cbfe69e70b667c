"""How jobs lie in Redis.  The scripts in `lua/` build the same names from PREFIX.

A job has an **id**, of which only one is waiting, delayed or running at a time,
and a **message id**, which names one queued run of it; history goes by the latter.

    live                 hash: job id -> message id of what waits, is delayed or runs
    job:<message id>     hash: everything about one run; it stays while history keeps it
    log:<message id>     list: log lines, JSON
    children:<message id>  list: message ids of jobs that this one sent
    <queue>:waiting      sorted set: message id, by since when (ms)
    <queue>:delayed      ... by when it is due
    <queue>:running      ... by when it was fetched
    <queue>:completed, <queue>:failed   ... by when it ended
    <queue>:tenants      list: tenants that have an open lane, in turn
    <queue>:lanes:<tenant>  list: open lanes of a tenant, in turn
    <queue>:lane:<lane>  list: message ids that wait, in turn
    <queue>:closed       sorted set: lanes (l...) and tenants (t...) from which nothing
                         may start, by when to look again
    <queue>:until        nothing of the queue may start before (ms)
    <queue>:busy         hash: scope -> running jobs, where only one may run
    starts:<queue>:<length of a slot>:<scope>  hash: starts by slot of time (limits/window.lua)
    paused               hash: scope -> why and until when
    workers              sorted set: worker id, by its last beat (ms)
    worker:<worker id>   hash: host, process, queues
    running:<worker id>  set: "<message id> <delivery>" that it has fetched and not finished
    cancel:<worker id>   set: the same, of those that it shall stop
    suspects             hash: message id -> worker that runs it, or '': jobs under which one
                         more death is too many; a worker runs one of them at a time
    sweeping             there for as long as nobody else need look for dead workers
    outbox               list: message ids that failed and are not dead letters yet
    ended                hash: "<queue>:completed", "<queue>:failed" -> how many ever did
    once:<token>         mark of what is sent once: a message id, later its outcome

A **lane** is what jobs have in common that a limit or a pause may be about: lines
`<scope>:<value>`, tenant first.  A lane is in its ring if, and only if, something
waits in it and it is not closed, so nobody ever looks at a job that may not start.
"""

from __future__ import annotations

PREFIX = "headrace:jobs:"
#: In this order a job goes through them, more or less.
STATES = ("waiting", "delayed", "running", "completed", "failed")

LIVE = PREFIX + "live"
PAUSED = PREFIX + "paused"
WORKERS = PREFIX + "workers"
OUTBOX = PREFIX + "outbox"
ENDED = PREFIX + "ended"


def job(message_id: str) -> str:
    """Return the key of the hash of one run."""
    return f"{PREFIX}job:{message_id}"


def log(message_id: str) -> str:
    """Return the key of its log lines."""
    return f"{PREFIX}log:{message_id}"


def children(message_id: str) -> str:
    """Return the key of the list of what it sent."""
    return f"{PREFIX}children:{message_id}"


def of_queue(queue: str, part: str) -> str:
    """Return the key of a part of a queue, such as its `waiting` ones."""
    return f"{PREFIX}{queue}:{part}"


def worker(worker_id: str) -> str:
    """Return the key of what is known of a worker."""
    return f"{PREFIX}worker:{worker_id}"


def running(worker_id: str) -> str:
    """Return the key of what a worker has fetched and not finished."""
    return f"{PREFIX}running:{worker_id}"


def once(token: str) -> str:
    """Return the key of the mark of what is sent once."""
    return f"{PREFIX}once:{token}"
