"""Refusals in Microsoft's own words: of Graph, and of the token endpoint.

https://learn.microsoft.com/graph/errors
https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from http import HTTPStatus

from pipeline.sandbox.calls import ApiError, Call, Reply, dump_json

#: What a fault means that only names a status, or gives Google's reason for it.
_CODES = {
    400: "BadRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    409: "ErrorIrresolvableConflict",
    410: "syncStateNotFound",
    412: "ErrorIrresolvableConflict",
    429: "ApplicationThrottled",
    500: "InternalServerError",
    502: "BadGateway",
    503: "MailboxInfoStale",
    504: "GatewayTimeout",
}
_MESSAGES = {
    "InvalidAuthenticationToken": "Lifetime validation failed, the token is expired.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorIrresolvableConflict": (
        "The send or update operation could not be performed because the change key passed in"
        " the request does not match the current change key for the item."
    ),
    "ApplicationThrottled": "Application is over its MailboxConcurrency limit.",
    "MailboxInfoStale": "Mailbox info is stale.",
    "syncStateNotFound": (
        "The sync state generation is not found; please re-sync from the beginning."
    ),
}
#: What faults and the checks that all APIs share say, and Graph does not.
_FOREIGN_REASONS = frozenset(
    ("backendError", "rateLimitExceeded", "parseError", "invalidArgument", "invalidParameter")
)


def graph_error(status: int, code: str, message: str = "") -> ApiError:
    """A refusal; known codes bring their own message."""
    return ApiError(status, code, message or _MESSAGES.get(code, code))


def bad_request(message: str, code: str = "RequestBroker--ParseUri") -> ApiError:
    return graph_error(HTTPStatus.BAD_REQUEST, code, message)


def item_not_found() -> ApiError:
    return graph_error(HTTPStatus.NOT_FOUND, "ErrorItemNotFound")


def sync_state_not_found() -> ApiError:
    return graph_error(HTTPStatus.GONE, "syncStateNotFound")


def request_headers(call: Call) -> tuple[tuple[str, str], ...]:
    """The ids under which Microsoft's support finds a request."""
    request_id = str(uuid.uuid4())
    asked = call.headers.get("client-request-id", request_id)
    return (("request-id", request_id), ("client-request-id", asked))


def refused(error: ApiError, headers: tuple[tuple[str, str], ...]) -> Reply:
    """The answer of a refusal, to a request with these ids."""
    code, message = error.reason, error.message
    if code in _FOREIGN_REASONS:
        given = {"Backend Error", code}
        code = _CODES.get(error.status, "UnknownError")
        message = _MESSAGES.get(code, code) if message in given else message
    shown = dict(headers)
    inner = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
        "request-id": shown["request-id"],
        "client-request-id": shown["client-request-id"],
    }
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return Reply(dump_json(body).encode(), error.status, (*error.headers, *headers))


# The token endpoint


class TokenRefused(ApiError):
    """A refusal of the token endpoint: `number` is the one behind AADSTS."""

    def __init__(self, error: str, number: int, text: str, suberror: str = "") -> None:
        status = HTTPStatus.UNAUTHORIZED if error == "invalid_client" else HTTPStatus.BAD_REQUEST
        super().__init__(status, error, text)
        self.number, self.suberror = number, suberror


def token_refused(error: ApiError) -> Reply:
    """The answer of a refusal at the token endpoint; that of a fault has no number."""
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    number = error.number if isinstance(error, TokenRefused) else None
    text = error.message if number is None else f"AADSTS{number}: {error.message}"
    body = {
        "error": error.reason,
        "error_description": (
            f"{text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}"
        ),
        "error_codes": [] if number is None else [number],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    if number is not None:
        body["error_uri"] = f"https://login.microsoftonline.com/error?code={number}"
    if isinstance(error, TokenRefused) and error.suberror:
        body["suberror"] = error.suberror
    return Reply(dump_json(body).encode(), error.status, error.headers)
