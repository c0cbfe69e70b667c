"""Pub/Sub topics of the sandbox's one project, each with one push subscription.

https://cloud.google.com/pubsub/docs/create-push-subscription
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.sandbox.database import Database
from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.push.addresses import Verdict, judge

PROJECT_ID = "headrace-sandbox"
PROJECT_NUMBER = "1234567890"
SERVICE_ACCOUNT = f"pubsub-push@{PROJECT_ID}.iam.gserviceaccount.com"

#: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
_NAME = re.compile(rf"projects/{PROJECT_ID}/topics/(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{{2,254}}")
_FIELDS = ("topic", "endpoint", "audience", "service_account")


def is_ours(name: str) -> bool:
    """Whether `name` can be a topic of this project."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class Topic:
    """A topic, where its subscription pushes to, and what its tokens say."""

    topic: str
    endpoint: str
    audience: str
    service_account: str

    @property
    def subscription(self) -> str:
        return f"projects/{PROJECT_ID}/subscriptions/{self.topic.rpartition('/')[2]}-push"

    def described(self) -> dict[str, str]:
        return asdict(self) | {"subscription": self.subscription}

    @staticmethod
    def of(given: dict[str, Any]) -> Topic:
        """A topic as control was told of it; the audience is the endpoint unless it is named.

        Raises BadField, which names the field at fault.
        """
        fields = Fields(given, _FIELDS)
        name, endpoint = fields.text("topic"), fields.text("endpoint")
        if not is_ours(name):
            refuse("topic", f"needs a name like projects/{PROJECT_ID}/topics/gmail")
        if judge(endpoint) is not Verdict.GOOD:
            refuse("endpoint", "needs an https address; http only on this machine")
        audience = fields.text("audience") if fields.has("audience") else endpoint
        account = fields.text("service_account") if fields.has("service_account") else ""
        return Topic(name, endpoint, audience, account or SERVICE_ACCOUNT)

    @staticmethod
    def parse(text: str) -> Topic:
        """A topic as a command line names it: NAME=ENDPOINT.  Raises BadField."""
        name, equals, endpoint = text.partition("=")
        if not equals:
            refuse("topic", f"{text!r} is not NAME=ENDPOINT")
        return Topic.of({"topic": name, "endpoint": endpoint})


class Topics:
    """The topics that exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, topic: Topic) -> None:
        sql = "INSERT OR REPLACE INTO topics VALUES (?, ?, ?, ?)"
        self._database.run(sql, topic.topic, topic.endpoint, topic.audience, topic.service_account)

    def find(self, name: str) -> Topic | None:
        row = self._database.row("SELECT * FROM topics WHERE topic = ?", name)
        return None if row is None else Topic(*row)

    def listed(self) -> list[Topic]:
        return [Topic(*row) for row in self._database.rows("SELECT * FROM topics ORDER BY topic")]

    def clear(self) -> None:
        self._database.run("DELETE FROM topics")
