"""A typed client for `/control`, for tests, the oracle and the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import requests

from pipeline.sandbox.ai.client import AiClient
from pipeline.sandbox.microsoft.client import MicrosoftControlClient
from pipeline.sandbox.microsoft.life.client import LifeClient
from pipeline.sandbox.outreach.client import OutreachClient

Item = dict[str, Any]


class SandboxError(RuntimeError):
    """The sandbox refused a control request; the text says which field is at fault."""


@dataclass(frozen=True)
class SandboxUser:
    """`counts` are live items by source and kind of stream."""

    user: str
    email: str
    counts: dict[str, dict[str, int]]
    total: int


class SandboxClient(LifeClient, MicrosoftControlClient, OutreachClient, AiClient):
    """Talks to the sandbox at `base_url`.  Every method raises SandboxError when refused.

    One instance may be used by one thread at a time.
    """

    def __init__(self, base_url: str, timeout_seconds: float = 600.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business with a local server

    def close(self) -> None:
        self._session.close()

    def health(self) -> Item:
        return self._ask("GET", "health")

    # Users and their data

    def users(self) -> list[SandboxUser]:
        return [SandboxUser(**user) for user in self._ask("GET", "users")["users"]]

    def add_users(self, count: int, seed: int = 1, prefix: str = "user") -> list[Item]:
        """Users `prefix`0001 … of realistic sizes; each with `user`, `email`, `created`.

        Existing users stay as they are.
        """
        body = {"count": count, "seed": seed, "prefix": prefix}
        return list(self._ask("POST", "users", body)["users"])

    def add_user(self, user: str, seed: int = 1, **size: int) -> Item:
        """One user with exactly so many `calendars`, `events`, `messages`, `contacts`,
        `task_lists` and `tasks`; what is not named is 0."""
        body = {"user": user, "seed": seed, "size": size}
        return dict(self._ask("POST", "users", body)["users"][0])

    def delete_user(self, user: str) -> None:
        self._ask("DELETE", f"users/{user}")

    def mutate(
        self,
        seed: int,
        changes: int,
        users: list[str] | None = None,
        expire_cursors: float | list[str] | None = None,
    ) -> Item:
        """Make `changes` changes, spread over all or the named users; then expire the cursors of
        a share of all (user, source) pairs or of the named users.  Returns counts."""
        body = {"seed": seed, "changes": changes, "users": users, "expire_cursors": expire_cursors}
        return self._ask("POST", "mutate", body)

    def put(self, user: str, source: str, stream: str, item_id: str, item: Item) -> int:
        """Create or replace an item; returns the user's revision."""
        change = {"kind": "put", "source": source, "stream": stream, "item_id": item_id}
        return self.apply(user, change | {"item": item})

    def remove(self, user: str, source: str, stream: str, item_id: str) -> int:
        change = {"kind": "remove", "source": source, "stream": stream, "item_id": item_id}
        return self.apply(user, change)

    def apply(self, user: str, change: Item) -> int:
        """Make one change: `kind` (put, remove, rename), `source`, `stream`, `item_id`, and
        `item`, `new_item_id` where they apply.  Returns the user's revision."""
        return int(self._ask("POST", "apply", {"user": user, "change": change})["rev"])

    def truth(
        self, user: str, source: str | None = None, time_min: str | None = None
    ) -> Iterator[tuple[str, str, Item]]:
        """(stream, item id, item) of everything live, as the APIs show it to the user.

        `time_min` leaves out events that had ended by then, as `timeMin` of events.list does.
        """
        wanted = {"source": source, "time_min": time_min}
        for row in self._stream(f"truth/{user}", wanted):
            yield row["stream"], row["id"], row["item"]

    # Cursors, tokens, time

    def expire_cursors(self, user: str | None = None, source: str | None = None) -> int:
        """Expire every cursor of these users and sources; returns how many pairs that were."""
        body = {"user": user, "source": source}
        return int(self._ask("POST", "expire_cursors", body)["expired"])

    def tokens(
        self,
        user: str,
        action: Literal["revoke", "expire", "rotate_on", "rotate_off", "scopes"],
        scopes: list[str] | None = None,
    ) -> None:
        """Revoke the user's grant, expire its access tokens, switch rotation of refresh tokens,
        or leave its tokens with only `scopes`."""
        self._ask("POST", "tokens", {"user": user, "action": action, "scopes": scopes})

    def authorized_user(self, user: str, scopes: list[str] | None = None) -> Item:
        """Google's authorized-user JSON with a new refresh token."""
        return self._ask("POST", "authorized_user", {"user": user, "scopes": scopes})

    def clock(self, advance_seconds: float = 0.0) -> str:
        """Move the sandbox's clock forward; returns its time (ISO 8601)."""
        return str(self._ask("POST", "clock", {"advance_seconds": advance_seconds})["now"])

    def reset_clock(self) -> None:
        """Have the sandbox's clock show real time again; there must be no users."""
        self._ask("DELETE", "clock")

    # Faults

    def fault(self, kind: str, **rule: Any) -> Item:
        """Add a rule: `match`, `times` or `probability`, `params`, `seed`.  Strikes once unless
        told otherwise; `times=None` means for ever.  Values of `match` may have wildcards; the
        `user` of mail and text messages is the recipient.  Kinds that begin with `push_` strike
        notifications, whose `method` is `push`.  `when` in `params` says whether status, hang
        and drop strike before or after the work is done."""
        return self._ask("POST", "faults", {"kind": kind} | rule)

    def faults(self) -> list[Item]:
        return list(self._ask("GET", "faults")["faults"])

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    # Pushes

    def topic(
        self,
        topic: str,
        endpoint: str,
        audience: str | None = None,
        service_account: str | None = None,
    ) -> Item:
        """Make a Pub/Sub topic, `projects/headrace-sandbox/topics/...`, whose subscription pushes
        to `endpoint`; the audience of its tokens is the endpoint unless it is named."""
        body = {"topic": topic, "endpoint": endpoint, "audience": audience}
        return self._ask("POST", "topics", body | {"service_account": service_account})

    def topics(self) -> list[Item]:
        return list(self._ask("GET", "topics")["topics"])

    def clear_topics(self) -> None:
        self._ask("DELETE", "topics")

    def watches(self, user: str) -> list[Item]:
        """Unexpired channels and mailbox watches of a user: `api`, `stream`, `name`, `number`,
        `expires`, `silent`, `ended`."""
        return list(self._ask("GET", f"watches/{user}")["watches"])

    def pushes(self) -> Item:
        """What became of notifications: how many are `waiting`, the sums by outcome (`outcomes`:
        sent, retried, failed, delayed, lost, dropped, expired), and rows by api and user
        (`pushes`)."""
        return self._ask("GET", "pushes")

    def clear_pushes(self) -> None:
        """Forget what waits to be delivered, and count from 0 again."""
        self._ask("DELETE", "pushes")

    def wait_until_quiet(self, seconds: float = 30.0) -> Item:
        """Return `pushes()` once no notification waits any more.  Raises TimeoutError."""
        end = time.monotonic() + seconds
        while (found := self.pushes())["waiting"]:
            if time.monotonic() > end:
                raise TimeoutError(f"{found['waiting']} notifications still wait")
            time.sleep(0.01)
        return found

    # Usage, settings

    def usage(self) -> list[Item]:
        """Rows of `api`, `method`, `user`, `code`, `calls`, `units`."""
        return list(self._ask("GET", "usage")["usage"])

    def clear_usage(self) -> None:
        """Forget all counters, and what has been spent of every quota."""
        self._ask("DELETE", "usage")

    def settings(self, **changes: bool | float) -> Item:
        """Change settings (`quotas_enabled`, `quota_scale`, `access_token_seconds`,
        `rotation_grace_seconds`, and those of pushes: `push_attempts`, `push_backoff_seconds`,
        `push_timeout_seconds`, `gmail_push_interval_seconds`; of Microsoft the shares of moves
        that are not told, of updates in part and of replays, `microsoft_quiet_move_share`,
        `microsoft_partial_update_share`, `microsoft_replay_share`, and the longest life of a
        subscription, `microsoft_subscription_minutes`; of SendGrid `sendgrid_batch_seconds`,
        `sendgrid_batch_events`, `sendgrid_requests_per_minute`, `sendgrid_activity_enabled`);
        returns all of them."""
        return self._ask("POST", "settings", changes)

    def _ask(self, verb: str, path: str, body: Item | None = None) -> Item:
        response = self._session.request(
            verb,
            f"{self.base_url}/control/{path}",
            json=body,
            timeout=self._timeout_seconds,
        )
        _check(response)
        return dict(response.json())

    def _stream(self, path: str, query: Item | None = None) -> Iterator[Item]:
        url = f"{self.base_url}/control/{path}"
        with self._session.get(
            url, params=query, stream=True, timeout=self._timeout_seconds
        ) as response:
            _check(response)
            for line in response.iter_lines(chunk_size=65_536):
                yield json.loads(line)


def _check(response: requests.Response) -> None:
    if response.status_code >= 400:
        try:
            text = response.json()["error"]
        except (ValueError, KeyError, TypeError):
            text = response.text[:200]
        raise SandboxError(f"{response.status_code}: {text}")
