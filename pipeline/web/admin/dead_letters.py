"""The Dead letters pages: groups of one cause, their letters, replay and dismissal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from models.dead_letter import DEAD_LETTER_STATUSES, UNSETTLED
from pipeline.dead_letters import Group, Place, Wanted, dismiss, find, groups, how_many, letters
from pipeline.dead_letters.replaying import begin_group, begin_letter, job_id_of
from pipeline.errors import Permanent
from pipeline.jobs import reading
from pipeline.jobs.entries import Entry
from pipeline.jobs.redaction import masked
from pipeline.jobs.sending import Sent
from pipeline.queues import QUEUES
from pipeline.stores import Row
from pipeline.web.pages import Conflict, Done, NotFound, Visit, action, page
from pipeline.web.paths import segment
from pipeline.web.stores import part

_HOME = "/admin/dead-letters"
_LIMIT = 50


def why(letter: Row) -> str:
    """Return the error of a letter in one line; its message is only ever one of our own."""
    error = letter["error"]
    return ": ".join(filter(None, (error.get("class"), error.get("message"))))


def _address(visit: Visit, **changes: str) -> str:
    """Return this page's address with some of its query changed, from the first page on."""
    kept = {name: visit.query[name] for name in ("status", "queue") if name in visit.query}
    query = {name: value for name, value in (kept | changes).items() if value}
    return f"?{urlencode(query)}" if query else "?"


def _wanted(visit: Visit) -> Wanted:
    status = visit.query.get("status", "open")
    if status not in DEAD_LETTER_STATUSES:
        raise NotFound(f"there are no {status} dead letters; {', '.join(DEAD_LETTER_STATUSES)}")
    return Wanted(status, visit.path.get("fingerprint"), visit.query.get("queue") or None)


def _after(visit: Visit) -> Place | None:
    text = visit.query.get("after")
    try:
        return Place.parsed(text) if text else None
    except (ValueError, OverflowError):
        raise NotFound("this address does not name a place in the list") from None


def _tabs(visit: Visit, wanted: Wanted) -> list[dict[str, Any]]:
    return [
        {
            "label": status.capitalize(),
            "href": _address(visit, status=status),
            "current": status == wanted.status,
            "count": how_many(replace(wanted, status=status)),
            "kind": "bad" if status == "open" else "",
        }
        for status in DEAD_LETTER_STATUSES
    ]


def _read_groups(visit: Visit) -> Mapping[str, Any]:
    wanted, after = _wanted(visit), _after(visit)

    def read() -> dict[str, Any]:
        found = groups(wanted, _LIMIT + 1, after=after)
        shown = found[:_LIMIT]
        more = len(found) > _LIMIT
        return {
            "tabs": _tabs(visit, wanted),
            "groups": [(group, why(group.sample)) for group in shown],
            "next": _address(visit, after=str(shown[-1].place)) if more else "",
        }

    return {
        "found": part("mongodb", read, keep="dead letters" if not visit.query else ""),
        "status": wanted.status,
        "queue": wanted.queue,
        "queues": [(_address(visit, queue=name), name) for name in QUEUES],
        "all_queues": _address(visit, queue=""),
        "first": _address(visit) if after else "",
    }


def _read_group(visit: Visit) -> Mapping[str, Any]:
    wanted, after = _wanted(visit), _after(visit)

    def read() -> dict[str, Any]:
        whole = groups(replace(wanted, status=None), 1)
        if not whole:
            raise NotFound("No dead letter has this fingerprint; they may have expired.")
        found = letters(wanted, _LIMIT + 1, after=after)
        shown = found[:_LIMIT]
        return {
            "group": whole[0],
            "why": why(whole[0].sample),
            "tabs": _tabs(visit, wanted),
            "letters": [(letter, why(letter), masked(letter["job_id"])) for letter in shown],
            "next": _next(visit, shown) if len(found) > _LIMIT else "",
        }

    return {
        "found": part("mongodb", read),
        "replay": part("redis", lambda: _replay_of(visit.path["fingerprint"])),
        "fingerprint": visit.path["fingerprint"],
        "url": f"{_HOME}/{segment(visit.path['fingerprint'])}",
        "status": wanted.status,
        "first": _address(visit) if after else "",
    }


def _next(visit: Visit, shown: Sequence[Row]) -> str:
    last = shown[-1]
    return _address(visit, after=str(Place(last["last_seen_at"], last["_id"])))


def _replay_of(fingerprint: str) -> Entry | None:
    """Return the newest replay of the whole group, under way or over."""
    return next(iter(reading.find(job_id_of(fingerprint))), None)


def _open_group(visit: Visit) -> Group:
    wanted = Wanted(None, visit.path["fingerprint"])
    found = groups(wanted, 1)
    if not found:
        raise NotFound("No dead letter has this fingerprint; they may have expired.")
    if not any(how_many(replace(wanted, status=status)) for status in UNSETTLED):
        raise Conflict("No letter of this group is open; somebody has settled them all.")
    return found[0]


def _replay_group(visit: Visit) -> Done:
    group = _open_group(visit)
    sent = begin_group(group.fingerprint, visit.principal.name)
    return _began(sent, "One letter first, then ten, then the rest, until some fail again")


def _began(sent: Sent, how: str) -> Done:
    text = f"The replay has begun. {how}." if sent.created else "A replay is under way already."
    return Done(text, {"job": sent.message_id})


def _dismiss_group(visit: Visit) -> Done:
    group = _open_group(visit)
    return _dismissed(visit, Wanted("open", group.fingerprint).query())


def _dismissed(visit: Visit, query: Row) -> Done:
    reason = visit.said("reason")
    if not reason:
        raise Permanent("Say why: whoever finds these letters later will want to know.")
    count = dismiss(query, visit.principal.name, reason)
    if not count:
        raise Conflict("None of them is open any more.")
    text = f"{count:,} {'letter' if count == 1 else 'letters'} dismissed."
    return Done(text, {"letters": count, "reason": reason})


def _letter(visit: Visit) -> Row:
    letter = find(visit.path["message_id"])
    if letter is None:
        raise NotFound("There is no such dead letter; it may have expired.")
    return letter


def _replay_letter(visit: Visit) -> Done:
    letter = _letter(visit)
    if letter["status"] not in UNSETTLED:
        raise Conflict(f"It is {letter['status']}; only open letters are replayed.")
    return _began(begin_letter(letter, visit.principal.name), "Its job runs once more")


def _dismiss_letter(visit: Visit) -> Done:
    return _dismissed(visit, {"_id": _letter(visit)["_id"]})


_GROUP = f"{_HOME}/{{fingerprint:id}}"
_LETTER = f"{_HOME}/letters/{{message_id:id}}"
routes = [
    page(_HOME, "dead_letters", _read_groups, title="Dead letters"),
    page(_GROUP, "dead_letter_group", _read_group, title="Dead letters", nav="dead_letters"),
    action(f"{_GROUP}/replay", _replay_group, name="dead_letters.replay"),
    action(f"{_GROUP}/dismiss", _dismiss_group, name="dead_letters.dismiss"),
    action(f"{_LETTER}/replay", _replay_letter, name="dead_letter.replay"),
    action(f"{_LETTER}/dismiss", _dismiss_letter, name="dead_letter.dismiss"),
]
