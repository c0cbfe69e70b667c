"""Calls to Microsoft Graph for one connection: charged, counted, errors in our words.

Graph lets four requests of an application run at a time per mailbox, and works on the
parts of a batch four at a time itself.  So one HTTP request per mailbox is under way at
any moment, whoever makes it: a lock in Redis sees to it.
https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pipeline.clients import charged
from pipeline.clients.charged import Answer, Outcome
from pipeline.clients.credentials import check_scopes, load_connection, mark
from pipeline.clients.microsoft_credentials import MicrosoftCredentials
from pipeline.clients.microsoft_requests import GraphRequest, link_path
from pipeline.clients.microsoft_wire import GraphWire, Refused
from pipeline.errors import (
    Changed,
    HeadraceError,
    Misconfigured,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.limits import ledger
from pipeline.limits.profiles import MICROSOFT_MAIL
from pipeline.stores import Row


class MicrosoftClient:
    """Makes calls for one connection.  One sync, one thread, one client.

    `calls` counts what was asked of Graph, each part of a batch for itself, and
    `requests` the HTTP requests that it took.
    """

    def __init__(self, connection: Row) -> None:
        """Raises ReauthRequired if the credentials cannot be read."""
        self.calls = 0
        # Several users may have connected the same mailbox: Graph counts it as one.
        self._mailbox: str = connection.get("account_id") or connection["user_id"]
        self._credentials = MicrosoftCredentials(connection)
        self._wire = GraphWire(self._mailbox)
        self._prefetched: dict[str, Outcome] = {}

    @classmethod
    def for_source(cls, user_id: str, source: str) -> Self:
        """Return the client that a sync of `source` needs.

        Raises ReauthRequired if the user must connect, or grant a scope, first.
        """
        connection = load_connection(user_id, "microsoft")
        check_scopes(connection, source)
        return cls(connection)

    @classmethod
    def for_user(cls, user_id: str, *, leaving: bool = False) -> Self:
        """Return the client of a user's connection.  Raises ReauthRequired without one.

        With `leaving`, one that has ended serves as long as it has credentials.
        """
        return cls(load_connection(user_id, "microsoft", leaving=leaving))

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent."""
        return self._wire.requests

    @property
    def connection(self) -> Row:
        """The connection as last read or written."""
        return self._credentials.connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._wire.close()

    def call(self, method: str, **params: Any) -> Answer:
        """Call `method`, such as `GET /me/messages/{id}`, and return the decoded answer.

        Parameters with a place in the path go there, `body` and `if_match` are the
        request's, all others are the query's: `select` becomes `$select`.  `GET` alone
        follows the link `url` unchanged.  An answer without a body is {}.

        Charges the ledger first.  What failed quickly and in passing is tried once
        more, unless it might then be done twice.  Raises any of pipeline.errors; a
        token that is refused although it was just renewed marks the connection.
        """
        request = GraphRequest.of(method, params)
        kept = self._prefetched.pop(request.path, None) if request.follows_link else None
        outcome = kept if kept is not None else self._alone(request)
        if isinstance(outcome, HeadraceError):
            raise outcome
        return outcome

    def batch(self, method: str, params: Sequence[Mapping[str, Any]]) -> list[Answer | Exception]:
        """Call `method` once per element; return an answer or an error for each, in order.

        RateLimited and Transient in the result mean: not done, ask again; once the
        quota is used up, all that follow have its RateLimited.  Raises only what
        concerns the whole connection: ReauthRequired, Misconfigured.
        """
        return list(self._in_batches([GraphRequest.of(method, one) for one in params]))

    def prefetch(self, links: Sequence[str]) -> None:
        """Read these links in batches; the next `GET` of each takes what came.

        What failed in passing is left out, so that it is asked for by itself.
        """
        wanted = [GraphRequest.of("GET", {"url": link}) for link in links if _is_ours(link)]
        for request, outcome in zip(wanted, self._in_batches(wanted), strict=True):
            if not isinstance(outcome, Transient | RateLimited):
                self._prefetched[request.path] = outcome

    def _alone(self, request: GraphRequest) -> Outcome:
        [outcome] = charged.made([request], self._take, self._authorized, may_mend=_may_mend)
        return outcome

    def _in_batches(self, wanted: Sequence[GraphRequest]) -> list[Outcome]:
        size = MICROSOFT_MAIL.batch_of("GET")
        return charged.made_in_batches(
            wanted, size, self._take, self._authorized, may_mend=_may_mend
        )

    def _take(self, count: int, max_wait_seconds: float | None) -> None:
        # Graph counts requests, whatever they ask for.
        ledger.take(MICROSOFT_MAIL, self._mailbox, "GET", count, max_wait_seconds=max_wait_seconds)

    def _authorized(self, wanted: Sequence[GraphRequest]) -> list[Outcome]:
        """Send with a token; if it is refused, once more with a new one.

        Raises what concerns the whole connection.
        """
        outcomes = self._sent(wanted)
        refused = [i for i, outcome in enumerate(outcomes) if _needs_new_token(outcome)]
        if refused:
            self._credentials.renew()
            again = [wanted[i] for i in refused]
            for i, outcome in zip(refused, self._sent(again), strict=True):
                outcomes[i] = outcome
        return [
            self._judged(outcome, request)
            for outcome, request in zip(outcomes, wanted, strict=True)
        ]

    def _sent(self, wanted: Sequence[GraphRequest]) -> list[Outcome | Refused]:
        token = self._credentials.token()
        self.calls += len(wanted)
        if len(wanted) > 1:
            return self._wire.send_batch(wanted, token)
        return [self._wire.send(wanted[0], token)]

    def _judged(self, outcome: Outcome | Refused, request: GraphRequest) -> Outcome:
        """Return the outcome in our words, once the ledger and the connection know of it."""
        if not isinstance(outcome, Refused):
            return outcome
        meaning = outcome.refusal.meaning(follows_link=request.follows_link)
        if isinstance(meaning, RateLimited):
            ledger.learn(MICROSOFT_MAIL, self._mailbox, meaning.scope, meaning.retry_after_seconds)
        if isinstance(meaning, ReauthRequired) and outcome.refusal.status == 401:
            mark(self.connection, "needs_reauth", str(meaning))
        if isinstance(meaning, ReauthRequired | Misconfigured):
            raise meaning
        return meaning


def _is_ours(link: str) -> bool:
    try:
        link_path(link)
    except HeadraceError:
        return False
    return True


def _needs_new_token(outcome: Outcome | Refused) -> bool:
    return isinstance(outcome, Refused) and outcome.refusal.status == 401


def _may_mend(outcome: Outcome, request: GraphRequest) -> bool:
    """Whether the same again may work, and cannot do twice what was asked once."""
    if isinstance(outcome, RateLimited):  # it was not done
        return True
    mends = isinstance(outcome, Transient) and not isinstance(outcome, Changed)
    return mends and request.may_repeat
