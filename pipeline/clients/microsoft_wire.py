"""HTTP to Microsoft Graph: one request at a time per mailbox, alone or as a batch."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from redis.exceptions import LockError
from redis.lock import Lock
from requests.auth import AuthBase

from pipeline import metrics
from pipeline.clients.charged import Outcome
from pipeline.clients.microsoft_errors import Refusal
from pipeline.clients.microsoft_requests import GraphRequest, root_url
from pipeline.config import settings
from pipeline.errors import HeadraceError, Permanent, RateLimited, Transient
from pipeline.stores import redis_client

log = logging.getLogger(__name__)

_BATCH = GraphRequest("POST /$batch", "/$batch")
#: How much longer than a request may take a killed worker's lock keeps the mailbox.
_LOCK_MARGIN_SECONDS = 5.0
#: Who finds the mailbox busy looks again so often, and then lets the job wait for so long.
_LOOK_SECONDS = 0.02
_BUSY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Refused:
    """An error answer, to be judged by who knows the whole."""

    refusal: Refusal


class _Bearer(AuthBase):
    """The token as a header that no .netrc of the machine replaces."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class GraphWire:
    """Sends requests for one mailbox, and counts them."""

    def __init__(self, mailbox: str) -> None:
        """`mailbox` is what tells it from others: the id of its account."""
        self.requests = 0
        self._lock_name = f"headrace:microsoft:mailbox:{mailbox}"
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._session.close()

    def send(self, request: GraphRequest, token: str) -> Outcome | Refused:
        """Send one request.  Raises RedisError."""
        answer = self._send(request, request.body, token)
        if isinstance(answer, HeadraceError):
            _count(request, 0)
            return answer
        body = None if not answer.content else _json(answer)
        return _outcome(request, answer.status_code, answer.headers, body, answer.content)

    def send_batch(self, wanted: Sequence[GraphRequest], token: str) -> list[Outcome | Refused]:
        """Send requests as one batch; return what came of each, in order.  Raises RedisError."""
        parts = {"requests": [request.part(n) for n, request in enumerate(wanted)]}
        answer = self._send(_BATCH, parts, token)
        if isinstance(answer, HeadraceError):
            _count(_BATCH, 0)
            return [answer for _ in wanted]
        body = _json(answer)
        if answer.status_code != requests.codes.ok:
            _count(_BATCH, answer.status_code)
            refusal = Refusal.of(_BATCH.method, answer.status_code, answer.headers, body)
            return [_whole_batch(refusal)] * len(wanted)
        answers = _by_number(body)
        return [_part(request, answers.get(str(n))) for n, request in enumerate(wanted)]

    def _send(
        self, request: GraphRequest, body: Mapping[str, Any] | None, token: str
    ) -> requests.Response | HeadraceError:
        """Return the answer, or why there is none; the mailbox is ours while this runs."""
        own = {"client-request-id": str(uuid.uuid4()), "Accept": "application/json"}
        with self._mailbox() as is_ours:
            if not is_ours:
                return RateLimited(
                    "microsoft-mail: another job asks for this mailbox",
                    retry_after_seconds=_BUSY_SECONDS,
                )
            self.requests += 1
            try:
                with metrics.PROVIDER_SECONDS.labels("microsoft", request.method).time():
                    answer = self._session.request(
                        request.verb,
                        root_url() + request.path,
                        json=body,
                        headers={**request.headers, **own},
                        auth=_Bearer(token),
                        timeout=settings().provider_timeout_seconds,
                        allow_redirects=False,  # a token goes to no other host
                    )
            except requests.RequestException as error:
                self._session.close()
                return Transient(f"{request.method}: no usable answer ({type(error).__name__})")
        if not answer.ok:
            _tell(request, answer)
        return answer

    @contextmanager
    def _mailbox(self) -> Iterator[bool]:
        """Hold the mailbox, if it comes free within the time of a request."""
        patience = settings().provider_timeout_seconds
        lock = Lock(
            redis_client(),
            self._lock_name,
            timeout=patience + _LOCK_MARGIN_SECONDS,
            blocking_timeout=patience,
            sleep=_LOOK_SECONDS,
            raise_on_release_error=False,
        )
        try:
            with lock:
                yield True
        except LockError:
            yield False


def _whole_batch(refusal: Refusal) -> Outcome | Refused:
    """Return what it means for each part that the batch as such was refused."""
    if refusal.status in (401, 429) or refusal.status >= 500:
        return Refused(refusal)
    # A 404 here says nothing about the items.
    return Permanent(f"the batch was refused: {refusal}")


def _part(request: GraphRequest, part: Mapping[str, Any] | None) -> Outcome | Refused:
    if part is None or not isinstance(part.get("status"), int):
        return Transient(f"{request.method}: its part of the batch is missing")
    headers = part.get("headers")
    found = headers if isinstance(headers, dict) else {}
    return _outcome(request, part["status"], found, part.get("body"), part.get("body"))


def _outcome(
    request: GraphRequest, status: int, headers: Mapping[str, str], body: object, content: object
) -> Outcome | Refused:
    """Return what one answer says; `body` is its JSON, `content` whatever there was."""
    _count(request, status)
    if not 200 <= status < 300:
        return Refused(Refusal.of(request.method, status, headers, body))
    if isinstance(body, dict):
        return body
    if not content and request.verb != "GET":
        return {}
    return Transient(f"{request.method}: the answer is not a JSON object")


def _count(request: GraphRequest, code: int) -> None:
    metrics.PROVIDER_CALLS.labels("microsoft", request.method, str(code)).inc()


def _json(answer: requests.Response) -> object:
    try:
        body: object = answer.json()
    except ValueError:  # a proxy's page, or half an answer
        return None
    return body


def _by_number(body: object) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a batch's answer by the number of their request."""
    parts = body.get("responses") if isinstance(body, dict) else None
    found = parts if isinstance(parts, list) else []
    return {str(part.get("id")): part for part in found if isinstance(part, dict)}


def _tell(request: GraphRequest, answer: requests.Response) -> None:
    """Log what Microsoft's support asks for."""
    log.info(
        "Microsoft refused a request",
        extra={
            "method": request.method,
            "code": answer.status_code,
            "request_id": answer.headers.get("request-id", ""),
        },
    )
