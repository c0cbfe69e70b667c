"""Calls to Google for one connection: charged to the quota ledger, counted, errors in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from pipeline import metrics
from pipeline.clients import charged
from pipeline.clients.charged import Answer, Outcome
from pipeline.clients.composio import ComposioHttp, ComposioTransport
from pipeline.clients.credentials import check_scopes, load_connection, mark
from pipeline.clients.google_credentials import ConnectionCredentials
from pipeline.clients.google_errors import PROVIDER_ERRORS, classify, status_of
from pipeline.clients.google_methods import (
    APIS,
    WITHOUT_ANSWER,
    api_of,
    batch_url,
    new_request,
)
from pipeline.config import settings
from pipeline.errors import (
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)
from pipeline.limits import ledger
from pipeline.limits.profiles import profile_of
from pipeline.stores import Row

#: Ours come from refreshing a token, and from Composio.
_FAILURES = (*PROVIDER_ERRORS, HeadraceError)
#: The library does not check answers before it takes them apart.
_STUMBLES = (AttributeError, IndexError, KeyError, TypeError, ValueError)

#: Parameters that say where to go on from.
_CURSORS = frozenset(("syncToken", "startHistoryId", "pageToken", "updatedMin"))


class GoogleClient:
    """Makes calls for one connection.  One sync, one thread, one client.

    `calls` counts what was asked of Google, each call of a batch for itself, and
    `units` what that took of the quota.
    """

    def __init__(self, connection: Row) -> None:
        """Raises ReauthRequired if the credentials cannot be read."""
        self.calls = 0
        self.units = 0
        self._user_id: str = connection["user_id"]
        through_composio = connection["broker"] == "composio"
        self._transport = (ComposioTransport if through_composio else _OwnTransport)(connection)

    @classmethod
    def for_source(cls, user_id: str, source: str) -> Self:
        """Return the client that a sync of `source` needs.

        Raises ReauthRequired if the user must connect, or grant a scope, first.
        """
        connection = load_connection(user_id, "google")
        check_scopes(connection, source)
        return cls(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._transport.close()

    def call(self, method: str, **params: Any) -> Answer:
        """Call `method`, such as `calendar.events.list`, and return the decoded answer.

        Charges the ledger first, and tries once more what failed quickly and in
        passing.  Raises any of pipeline.errors; a token that is refused although it
        was just refreshed marks the connection.
        """
        [outcome] = charged.made(
            [params], partial(self._take, method), partial(self._send_single, method)
        )
        if isinstance(outcome, HeadraceError):
            raise outcome
        return outcome

    def batch(self, method: str, params: Sequence[Mapping[str, Any]]) -> list[Answer | Exception]:
        """Call `method` once per element; return an answer or an error for each, in order.

        RateLimited and Transient in the result mean: not read, ask again; once the
        quota is used up, all that follow have its RateLimited.  Raises only what
        concerns the whole connection: ReauthRequired, Misconfigured.  Through
        Composio, which takes no batches, the calls are made one by one.
        """
        size = _batch_size(method) if self._transport.takes_batches else 1
        send = self._send_batch if size > 1 else self._send_single
        take = partial(self._take, method)
        return list(charged.made_in_batches(params, size, take, partial(send, method)))

    def _take(self, method: str, count: int, max_wait_seconds: float | None) -> None:
        profile = profile_of(method)
        ledger.take(profile, self._user_id, method, count, max_wait_seconds=max_wait_seconds)
        self.units += profile.units_of(method) * count

    def _send_single(self, method: str, params: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        return [self._send_one(method, one) for one in params]

    def _send_one(self, method: str, params: Mapping[str, Any]) -> Outcome:
        request = new_request(method, params, self._http_for(method))
        self.calls += 1
        code = 0
        try:
            with metrics.PROVIDER_SECONDS.labels("google", method).time():
                answer = request.execute()
            code = 200
        except _FAILURES as error:
            code = status_of(error)
            return self._judged(error, method, params)
        except _STUMBLES as error:
            return _damaged(error, method)
        finally:
            metrics.PROVIDER_CALLS.labels("google", method, str(code)).inc()
        return _decoded(answer, method)

    def _send_batch(self, method: str, params: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {}

        def collect(request_id: str, answer: object, error: HttpError | None) -> None:
            code = status_of(error) if error else 200
            metrics.PROVIDER_CALLS.labels("google", method, str(code)).inc()
            if error:
                outcomes[request_id] = self._judged(error, method, params[int(request_id)])
            else:
                outcomes[request_id] = _decoded(answer, method)

        batch = BatchHttpRequest(callback=collect, batch_uri=batch_url(method))
        for number, one in enumerate(params):
            # The token of the whole counts for its parts; their own would outlive a refresh.
            batch.add(new_request(method, one, None), request_id=str(number))
        self.calls += len(params)
        try:
            with metrics.PROVIDER_SECONDS.labels("google", f"{api_of(method)}.batch").time():
                batch.execute(http=self._http_for(method))
        except _FAILURES as error:
            return [self._whole_batch(error, method)] * len(params)
        except _STUMBLES as error:
            return [_damaged(error, method)] * len(params)
        return [outcomes[str(number)] for number in range(len(params))]

    def _whole_batch(self, error: Exception, method: str) -> HeadraceError:
        """Return what it means for each call that the batch as such failed."""
        meaning = self._judged(error, method, {})
        if isinstance(meaning, Transient | RateLimited):
            return meaning
        # A 404 here says nothing about the items.
        return Permanent(f"the batch was refused: {meaning}")

    def _judged(self, error: Exception, method: str, params: Mapping[str, Any]) -> HeadraceError:
        """Return the error in our words, once the ledger and the connection know of it.

        Raises it if it concerns the whole connection.
        """
        if not status_of(error):
            # httplib2 keeps a connection that broke in the middle, and would use it again.
            self._transport.close()
        meaning = classify(error, method, carries_cursor=not _CURSORS.isdisjoint(params))
        if isinstance(meaning, RateLimited):
            ledger.learn(
                profile_of(method), self._user_id, meaning.scope, meaning.retry_after_seconds
            )
        if isinstance(meaning, ReauthRequired) and status_of(error) == 401:
            mark(self._transport.connection, "needs_reauth", str(meaning))
        if isinstance(meaning, ReauthRequired | Misconfigured):
            raise meaning from None
        return meaning

    def _http_for(self, method: str) -> AuthorizedHttp | ComposioHttp:
        return self._transport.http_for(APIS[api_of(method)].toolkit)


class _OwnTransport:
    """One connection's own credentials, and its sockets."""

    takes_batches = True

    def __init__(self, connection: Row) -> None:
        self._credentials = ConnectionCredentials(connection)
        http = httplib2.Http(timeout=settings().provider_timeout_seconds)
        http.follow_redirects = False  # a token goes to no other host
        self._http = AuthorizedHttp(self._credentials, http, max_refresh_attempts=1)

    @property
    def connection(self) -> Row:
        """The connection as last read or written."""
        return self._credentials.connection

    def http_for(self, _toolkit: str) -> AuthorizedHttp:
        return self._http

    def close(self) -> None:
        self._http.close()


def _batch_size(method: str) -> int:
    return min(settings().google_gmail_batch_size, profile_of(method).batch_of(method))


def _damaged(error: Exception, method: str) -> Transient:
    return Transient(f"{method}: damaged answer ({type(error).__name__})")


def _decoded(answer: object, method: str) -> Outcome:
    if isinstance(answer, dict):
        return answer
    if not answer and method in WITHOUT_ANSWER:
        return {}
    return Transient(f"{method}: the answer is not a JSON object")
