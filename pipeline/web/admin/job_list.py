"""Lists of jobs, of one queue or of all: what the address asks for, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from pipeline.jobs.layout import STATES
from pipeline.jobs.queries import WrongQuery, checked
from pipeline.jobs.reading import Depth
from pipeline.jobs.reading import Page as JobPage
from pipeline.jobs.search import Query, search
from pipeline.jobs.walking import Place
from pipeline.queues import QUEUES, Keep
from pipeline.web.admin.job_rows import Row, fingerprints, row_of
from pipeline.web.pages import Visit
from pipeline.web.stores import part

PER_PAGE = 50
#: More jobs than this are not acted on at once.
MOST_AT_ONCE = 1000
_MOST_TEXT = 500

_HINTS = (
    ("user:", "jobs of a user"),
    ("tenant:", "jobs of a tenant"),
    ("source:", "jobs of a source"),
    ("id:", "a job id"),
    ("job:", "an actor"),
    ("error:", "a part of an error"),
    ("state:", ", ".join(STATES)),
    ("worker:", "what a worker has run"),
    ("correlation:", "all that one tick or request caused"),
)
_KINDS = {"failed": "bad"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for.  `error` says what is wrong with `text`, and then nothing fits.

    `state` is that of a tab; a state in the text goes before it.
    """

    text: str
    queue: str
    state: str
    query: Query
    before: Place | None
    error: str

    def address(self, **changes: str) -> str:
        """Return this page's address with some of its query changed, from its first page on."""
        kept = {"state": self.state, "q": self.text} | changes
        return f"?{urlencode({name: value for name, value in kept.items() if value})}"

    @property
    def narrowed(self) -> bool:
        """Return whether the text leaves some jobs out."""
        return bool(self.text)

    @property
    def scope(self) -> dict[str, str]:
        """What names the same jobs again in a form."""
        return {"q": self.text, "queue": self.queue, "state": self.state}


@dataclass(frozen=True, slots=True)
class Found:
    """A part of the list that was asked for."""

    rows: list[Row]
    ids_only: list[str]
    next: str


def asked(given: Mapping[str, str], queue: str = "") -> Asked:
    """Return what a query string, or a form, asks for."""
    text = given.get("q", "").strip()[:_MOST_TEXT]
    state = given.get("state", "")
    state = state if state in STATES else ""
    query, before, error = Query(), None, ""
    try:
        query = checked(text)
        before = Place.parsed(given["before"]) if given.get("before") else None
        if queue and set(query.queues) - {queue}:
            raise WrongQuery(f"this list is of the queue {queue}; on Jobs, queue: finds the others")
    except (WrongQuery, ValueError) as problem:
        error = str(problem)
    if len(query.states) == 1:
        state = query.states[0]
    states = query.states or ((state,) if state else ())
    query = replace(query, queues=(queue,) if queue else query.queues, states=states)
    return Asked(text, queue, state, query, before, error)


def context(visit: Visit, wanted: Asked, depths: Mapping[str, Depth] | None) -> dict[str, Any]:
    """Return what the template `_job_list.html` needs; `depths` is None if Redis is down."""
    found = part("redis", lambda: _found(wanted, visit))
    total = _total(wanted, depths)
    return {
        "asked": wanted,
        "found": found,
        "tabs": _tabs(wanted, depths),
        "total": total,
        "hints": _HINTS if wanted.queue else (*_HINTS, ("queue:", "jobs of a queue")),
        "bulk": _bulk(wanted.state),
        "kept": _kept(wanted.queue),
        "first": wanted.address() if wanted.before else "",
    }


def page_of(wanted: Asked, limit: int) -> JobPage:
    """Return the jobs that were asked for.  Raises redis.RedisError."""
    if wanted.error:
        return JobPage([], None)
    return search(wanted.query, limit=limit, before=wanted.before)


def _found(wanted: Asked, visit: Visit) -> Found:
    page = page_of(wanted, PER_PAGE)
    letters = part("mongodb", lambda: fingerprints(page.jobs)).value or {}
    rows = [row_of(entry, visit.now, letters.get(entry.message_id, "")) for entry in page.jobs]
    after = wanted.address(before=str(page.next)) if page.next else ""
    return Found(rows, [f"{state} on {queue}" for queue, state in page.ids_only], after)


def _tabs(wanted: Asked, depths: Mapping[str, Depth] | None) -> list[dict[str, Any]]:
    # A state in the text would go before that of the tab.
    text = "" if wanted.query.states and "state:" in wanted.text else wanted.text
    return [
        {
            "label": state.capitalize() if state else "All",
            "href": replace(wanted, text=text).address(state=state),
            "current": state == wanted.state,
            "count": _count(depths, state) if state else None,
            "kind": _KINDS.get(state, ""),
        }
        for state in ("", *STATES)
    ]


def _count(depths: Mapping[str, Depth] | None, state: str) -> int | None:
    if depths is None:
        return None
    return sum(int(getattr(depth, state)) for depth in depths.values())


def _total(wanted: Asked, depths: Mapping[str, Depth] | None) -> int | None:
    """Return how many jobs match, if that is known without looking at each, and not too many."""
    if wanted.query.terms or wanted.error or depths is None:
        return None
    queues = wanted.query.queues or tuple(depths)
    states = wanted.query.states or STATES
    among = {name: depths[name] for name in queues if name in depths}
    total = sum(_count(among, state) or 0 for state in states)
    return total if total <= MOST_AT_ONCE else None


def _bulk(state: str) -> list[dict[str, Any]]:
    """Return what can be done with jobs in a state, or in any."""
    sure = "A waiting or delayed job never runs then; one that runs is asked to stop."
    offers: dict[str, dict[str, Any]] = {
        "promote": {
            "label": "Start now",
            "url": "/admin/jobs/promote",
            "confirm": "Start {n} delayed jobs now, whatever they are delayed for?",
        },
        "retry": {
            "label": "Retry",
            "url": "/admin/jobs/retry",
            "confirm": "Run {n} failed jobs again? Their dead letters are replayed.",
        },
        "cancel": {
            "label": "Cancel jobs",
            "url": "/admin/jobs/cancel",
            "confirm": f"Cancel what is selected ({{n}})? {sure} There will be no dead letters.",
            "danger": True,
        },
    }
    fitting = {
        "": ("promote", "retry", "cancel"),
        "waiting": ("cancel",),
        "running": ("cancel",),
        "delayed": ("promote", "cancel"),
        "failed": ("retry",),
    }
    return [offers[name] for name in fitting.get(state, ())]


def _kept(queue: str) -> str:
    """Return how long jobs that ended stay in these lists."""
    if queue not in QUEUES:
        return "Of each queue the newest jobs that ended are kept, as its page says."
    rules = QUEUES[queue]
    return (
        f"Kept are the newest {_words(rules.keep_completed)} that completed "
        f"and {_words(rules.keep_failed)} that failed."
    )


def _words(keep: Keep) -> str:
    hours = f" of the last {keep.seconds / 3600:g} h" if keep.seconds else ""
    return f"{keep.count:,}{hours}"
