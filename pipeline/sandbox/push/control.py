"""The part of `/control` that concerns pushes: topics, watches, and what became of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.push.topics import Topic, Topics
from pipeline.sandbox.store import Store

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked


class PushControl:
    """Handlers over one sandbox's pushes."""

    def __init__(self, store: Store) -> None:
        self._store, self._outbox = store, store.outbox
        self._topics = Topics(store.database)

    def table(self) -> dict[str, dict[str, Callable[[Asked], Any]]]:
        return {
            "/pushes": {"GET": self._list_pushes, "DELETE": self._clear_pushes},
            "/watches/{user}": {"GET": self._list_watches},
            "/topics": {
                "GET": self._list_topics,
                "POST": self._put_topic,
                "DELETE": self._clear_topics,
            },
        }

    def _list_pushes(self, _: Asked) -> Any:
        with self._store.reading():
            rows, waiting = self._outbox.counts.listed(), self._outbox.waiting()
        outcomes: Counter[str] = Counter()
        for row in rows:
            outcomes[row["outcome"]] += row["count"]
        return {"waiting": waiting, "outcomes": outcomes, "pushes": rows}

    def _clear_pushes(self, _: Asked) -> Any:
        self._outbox.clear()
        return {}

    def _list_watches(self, asked: Asked) -> Any:
        user = self._store.user(asked.path["user"])
        return {"watches": [watch.described() for watch in self._outbox.watches.of_user(user.n)]}

    def _list_topics(self, _: Asked) -> Any:
        return {"topics": [topic.described() for topic in self._topics.listed()]}

    def _put_topic(self, asked: Asked) -> Any:
        topic = Topic.of(asked.body)
        self._topics.put(topic)
        return topic.described()

    def _clear_topics(self, _: Asked) -> Any:
        self._topics.clear()
        return {}
