"""One provider request and its answer, free of HTTP: batches and proxies use them as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.clock import parse_rfc3339_ms

if TYPE_CHECKING:
    from pipeline.sandbox.faults import Fault
    from pipeline.sandbox.store import Store, User

#: google.rpc.Code names by HTTP status (https://cloud.google.com/apis/design/errors).
RPC_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def dump_json(value: Any) -> str:
    """Compact JSON, non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Reply:
    """An answer: `body` is what goes over the wire, after `delay_seconds`.

    With `cut_at_bytes` the connection is closed after that many bytes of the body.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=UTF-8"
    delay_seconds: float = 0.0
    cut_at_bytes: int | None = None
    #: Called once the answer is out, delay and all.
    on_sent: Callable[[], None] | None = None

    @staticmethod
    def of(value: Any, status: int = 200) -> Reply:
        """JSON: `value` is serialized, or taken as it is when it is a string of JSON already."""
        text = value if isinstance(value, str) else dump_json(value)
        return Reply(text.encode(), status)


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal in the provider's own words.

    `reason` is the old-style reason ("notFound"); `rpc_status` the google.rpc name when it is
    not the usual one for `status`; `details` the google.rpc details.
    """

    status: int
    reason: str
    message: str
    rpc_status: str | None = None
    domain: str = "global"
    location: tuple[str, str] | None = None  # (locationType, location)
    details: tuple[dict[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def reply(self, api: str) -> Reply:
        shapes: dict[str, Callable[[], dict[str, Any]]] = {
            "calendar": self._classic,
            "oauth": self._oauth,
            "composio": self._composio,
            "people": self._rpc,
            "twilio": self._twilio,
        }
        body = shapes.get(api, self._both)()
        return Reply(dump_json(body).encode(), self.status, self.headers)

    def _classic(self) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "domain": self.domain,
            "reason": self.reason,
            "message": self.message,
        }
        if self.location is not None:
            entry["locationType"], entry["location"] = self.location
        return {"error": {"errors": [entry], "code": self.status, "message": self.message}}

    def _rpc(self) -> dict[str, Any]:
        name = self.rpc_status or RPC_STATUS.get(self.status, "UNKNOWN")
        error: dict[str, Any] = {"code": self.status, "message": self.message, "status": name}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def _both(self) -> dict[str, Any]:
        return {"error": self._classic()["error"] | self._rpc()["error"]}

    def _composio(self) -> dict[str, Any]:
        error = {"message": self.message, "slug": self.reason, "status": self.status}
        return {"error": error | {"request_id": "sandbox", "suggested_fix": ""}}

    def _twilio(self) -> dict[str, Any]:
        """https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions"""
        code = int(self.reason) if self.reason.isdigit() else 20_000 + self.status
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        about = {"code": code, "message": self.message}
        return about | {"more_info": more_info, "status": int(self.status)}

    def _oauth(self) -> dict[str, Any]:
        return {"error": self.reason, "error_description": self.message}


def error_info(reason: str, domain: str = "googleapis.com", **metadata: str) -> dict[str, Any]:
    """A google.rpc.ErrorInfo detail."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
        "metadata": metadata,
    }


def invalid(message: str, reason: str = "invalidArgument") -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, reason, message)


def not_found(message: str = "Requested entity was not found.") -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "notFound", message)


Handler = Callable[["Call"], Reply]


@dataclass(frozen=True)
class Method:
    """One method of one API.  A call needs any of `scopes`; an empty set means no sign-in."""

    api: str
    name: str
    verb: str
    path: str  # "/calendar/v3/calendars/{calendarId}/events"
    scopes: frozenset[str]
    handler: Handler
    #: Who is meant, for methods without an access token.
    identify: Callable[[Call], User | None] | None = None
    #: Whether it is called without an access token.
    open: bool = False
    #: How an expired cursor is refused, for methods that take one.
    expired: Callable[[], ApiError] | None = None
    #: Whether others may write while it runs, because it waits for somebody.
    unlocked: bool = False


@dataclass
class Call:
    """A request on its way through the gate; `user` is known once it is authorized."""

    store: Store
    verb: str
    path: str  # percent-encoded, without the query
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(default_factory=dict)  # lower-case names
    body: bytes = b""
    path_values: dict[str, str] = field(default_factory=dict)
    signed_in: User | None = None
    scopes: frozenset[str] = frozenset()
    fault: Fault | None = None
    base_url: str = ""

    @property
    def user(self) -> User:
        if self.signed_in is None:
            raise RuntimeError("a handler that needs a user was reached without one")
        return self.signed_in

    def text(self, name: str) -> str | None:
        """The last value of a query parameter; an empty one counts as absent."""
        values = self.many(name)
        return values[-1] if values else None

    def many(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name and value != ""]

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false", "1", "0"}:
            raise invalid(f"Invalid value for parameter {name}: {value!r} is not a boolean.")
        return value.lower() in {"true", "1"}

    def number(self, name: str, default: int, highest: int, lowest: int = 1) -> int:
        """A page size: too large is cut to `highest`, anything below `lowest` is refused."""
        value = self.text(name)
        if value is None:
            return default
        if not value.lstrip("-").isdecimal() or int(value) < lowest:
            raise invalid(
                f"Invalid value '{value}'. Values must be within the range: [{lowest}, {highest}]",
                "invalidParameter",
            )
        return min(int(value), highest)

    def when_ms(self, name: str) -> int | None:
        """An RFC 3339 parameter as epoch milliseconds."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return parse_rfc3339_ms(value)
        except ValueError:
            raise invalid(
                f"Bad Request: {name} must be an RFC 3339 timestamp with an offset.", "badRequest"
            ) from None

    def json_body(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise invalid("Invalid JSON payload received.", "parseError") from None
        if not isinstance(value, dict):
            raise invalid("Invalid JSON payload received: an object is needed.", "parseError")
        return value
