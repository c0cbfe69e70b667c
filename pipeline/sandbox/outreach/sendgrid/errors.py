"""Refusals as SendGrid words them: `{"errors": [{"message", "field", "help"}]}`.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from pipeline.sandbox.calls import ApiError, Reply, dump_json

_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html"


@dataclass(frozen=True)
class Problem:
    """What is wrong with which field; `anchor` is the place in the manual."""

    message: str
    field: str | None = None
    anchor: str | None = None

    def described(self) -> dict[str, str | None]:
        link = None if self.anchor is None else f"{_HELP}#{self.anchor}"
        return {"message": self.message, "field": self.field, "help": link}


class SendGridError(ApiError):
    """A refusal with one or more problems."""

    def __init__(self, status: int, problems: Sequence[Problem]) -> None:
        super().__init__(status, "refused", problems[0].message)
        self.problems = list(problems)


def bad_request(problems: Sequence[Problem]) -> SendGridError:
    return SendGridError(HTTPStatus.BAD_REQUEST, problems)


def not_signed_in() -> SendGridError:
    problem = Problem("Permission denied, wrong credentials")
    return SendGridError(HTTPStatus.UNAUTHORIZED, [problem])


def wrong_key() -> SendGridError:
    problem = Problem("The provided authorization grant is invalid, expired, or revoked")
    return SendGridError(HTTPStatus.UNAUTHORIZED, [problem])


def forbidden() -> SendGridError:
    return SendGridError(HTTPStatus.FORBIDDEN, [Problem("access forbidden")])


def unverified_sender() -> SendGridError:
    problem = Problem(
        "The from address does not match a verified Sender Identity. Mail cannot be sent until"
        " this error is resolved. Visit"
        " https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the"
        " Sender Identity requirements",
        "from",
    )
    return SendGridError(HTTPStatus.FORBIDDEN, [problem])


def not_found() -> SendGridError:
    return SendGridError(HTTPStatus.NOT_FOUND, [Problem("not found")])


def too_large() -> SendGridError:
    return SendGridError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, [Problem("Payload Too Large")])


def too_many() -> SendGridError:
    return SendGridError(HTTPStatus.TOO_MANY_REQUESTS, [Problem("too many requests")])


def refused(error: ApiError) -> Reply:
    """The answer of a refusal; that of a fault has one problem, without a field."""
    problems = error.problems if isinstance(error, SendGridError) else [Problem(error.message)]
    body = {"errors": [problem.described() for problem in problems]}
    return Reply(dump_json(body).encode(), error.status, content_type="application/json")
