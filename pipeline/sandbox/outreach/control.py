"""The part of `/control` that concerns recipients and their inbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse

from pipeline.sandbox.clock import parse_rfc3339_ms, rfc3339
from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.outreach.acting import Acting
from pipeline.sandbox.outreach.recipients import Act, habits_given
from pipeline.sandbox.store import Store

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked

_ACTS = [act.value for act in Act]
_HOW = ("link", "url", "text")
_CHUNK = 1000


class OutreachControl:
    """Handlers over one sandbox's inbox."""

    def __init__(self, store: Store, acting: Acting) -> None:
        self._store, self._inbox, self._acting = store, store.inbox, acting

    def table(self) -> dict[str, dict[str, Callable[[Asked], Any]]]:
        return {
            "/outreach": {"GET": self._summary, "DELETE": self._clear},
            "/outreach/inbox": {"GET": self._list_inbox},
            "/outreach/truth": {"GET": self._truth},
            "/outreach/recipients": {"GET": self._list_recipients, "POST": self._put_recipient},
            "/outreach/acts": {"GET": self._list_acts, "POST": self._act},
        }

    def _summary(self, _: Asked) -> Any:
        with self._store.reading():
            waiting = {name: carrier.waiting() for name, carrier in self._inbox.carriers.items()}
            counts = {"messages": self._inbox.count(), "acts_due": self._inbox.acts.due()}
        return counts | {"waiting": waiting}

    def _clear(self, _: Asked) -> Any:
        self._inbox.clear()
        return {}

    def _list_inbox(self, asked: Asked) -> Any:
        query = Fields(asked.query, ("address", "since", "after", "limit", "newest"))
        found = self._inbox.messages(
            query.text("address") if query.has("address") else None,
            parse_rfc3339_ms(query.text("since")) if query.has("since") else 0,
            limit=_number(query, "limit") if query.has("limit") else None,
            after_n=_number(query, "after") if query.has("after") else 0,
            newest=query.has("newest"),
        )
        return {
            "messages": [
                message.described() | {"acts": self._inbox.acts.done_with(message)}
                for message in found
            ]
        }

    def _truth(self, _: Asked) -> Any:
        return StreamingResponse(self._truth_lines(), media_type="application/x-ndjson")

    def _truth_lines(self) -> Iterator[str]:
        last_n = 0
        while found := self._inbox.messages(limit=_CHUNK, after_n=last_n):
            for message in found:
                row = {
                    "id": message.message_id,
                    "channel": message.channel,
                    "provider": message.provider,
                    "provider_id": message.provider_id,
                    "to": message.to,
                    "custom_args": message.custom,
                    "message_id_header": message.header("Message-ID"),
                    "status": message.status,
                    "received_at": rfc3339(message.received_ms),
                }
                yield json.dumps(row) + "\n"
            last_n = found[-1].n

    def _list_recipients(self, _: Asked) -> Any:
        return {"recipients": self._inbox.recipients.listed()}

    def _put_recipient(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("address", "habits"))
        habits = habits_given(given.object("habits") if given.has("habits") else {})
        self._inbox.recipients.put(given.text("address"), habits)
        return {}

    def _list_acts(self, asked: Asked) -> Any:
        query = Fields(asked.query, ("address",))
        address = query.text("address") if query.has("address") else None
        return {"acts": self._inbox.acts.listed(address)}

    def _act(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("message", "act", "how"))
        how = given.object("how") if given.has("how") else {}
        checked = Fields(how, _HOW, "how.")
        if checked.has("link"):
            checked.whole("link", lowest=0)
        act = Act(given.choice("act", _ACTS))
        return {"outcome": self._acting.act_now(given.text("message"), act, how)}


def _number(query: Fields, name: str) -> int:
    text = query.text(name)
    if not text.isdecimal():
        refuse(name, "needs a whole number")
    return int(text)
