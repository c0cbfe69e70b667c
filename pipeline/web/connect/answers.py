"""What a person reads when connecting ends, well or not: one page, one status, one count."""

from __future__ import annotations

from dataclasses import dataclass

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pipeline import metrics
from pipeline.clients.microsoft_account import NoMailbox
from pipeline.connect import OtherAccount
from pipeline.errors import HeadraceError, Misconfigured, Permanent, ReauthRequired
from pipeline.web.connect.flows import OtherBrowser, StateUnknown, StateUsed
from pipeline.web.connect.links import Link, LinkExpired, LinkInvalid, UnknownProvider
from pipeline.web.connect.providers import PROVIDERS
from pipeline.web.templating import render


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it came to nothing: `outcome` is the metric's label, `way_on` what the person can do."""

    outcome: str
    status: int
    title: str
    text: str
    way_on: str


_ASK_ANEW = "Go back to the application that sent you here and ask for a new link."
_TRY_AGAIN = "Try again; nothing was changed."
_TITLES = ", ".join(provider.title for provider in PROVIDERS.values())

_PROBLEMS: tuple[tuple[type[Exception], Problem], ...] = (
    (
        UnknownProvider,
        Problem(
            "unknown_provider",
            404,
            "There is no such provider",
            f"Accounts that can be connected here are those of {_TITLES}.",
            _ASK_ANEW,
        ),
    ),
    (
        LinkExpired,
        Problem(
            "link_expired",
            410,
            "This link has expired",
            "Links to connect an account work for a limited time.",
            _ASK_ANEW,
        ),
    ),
    (
        LinkInvalid,
        Problem(
            "link_invalid",
            400,
            "This link does not work",
            "It was not made here, or a part of it got lost on the way.",
            f"Open it again in one piece. {_ASK_ANEW}",
        ),
    ),
    (
        StateUsed,
        Problem(
            "state_used",
            409,
            "This was finished already",
            "The answer of the provider has been used; it works once.",
            "If you do not see your data in the application, open its link again.",
        ),
    ),
    (
        StateUnknown,
        Problem(
            "state_unknown",
            400,
            "This took too long",
            "You have ten minutes at the provider's page, and you must come from ours.",
            "Open the link of the application again.",
        ),
    ),
    (
        OtherBrowser,
        Problem(
            "other_browser",
            403,
            "This began in another browser",
            "Connecting must end in the browser in which it began, with cookies allowed."
            " If somebody sent you this address, close the page.",
            "Open the link of the application again, in this browser.",
        ),
    ),
    (
        OtherAccount,
        Problem(
            "other_account",
            409,
            "This is another account",
            "Another account of yours was connected before, and its data is kept here."
            " So that the two are not mixed, this one was not connected.",
            "Try again with the account from before. To change to another one, ask the"
            " application for a link that allows it.",
        ),
    ),
    (
        NoMailbox,
        Problem(
            "no_mailbox",
            409,
            "This account has no mailbox",
            "It is there, but there is no mail in Microsoft 365 that could be read.",
            "Try again with the account that your mail is in.",
        ),
    ),
    (
        ReauthRequired,
        Problem(
            "no_lasting_access",
            409,
            "Access would end within the hour",
            "The provider gave no lasting access, so nothing was changed.",
            "Try again: you will be asked for your consent once more.",
        ),
    ),
    (
        Permanent,
        Problem(
            "refused",
            400,
            "This could not be finished",
            "Either the provider's answer was not accepted, or you cannot be connected just now.",
            _TRY_AGAIN,
        ),
    ),
    (
        Misconfigured,
        Problem(
            "misconfigured",
            503,
            "Accounts cannot be connected yet",
            "Something is missing in the settings of this installation.",
            "Tell the people who run it; what they must do is:",
        ),
    ),
)
_UNREACHABLE = Problem(
    "unreachable",
    503,
    "That did not work just now",
    "A service that is needed for it does not answer.",
    _TRY_AGAIN,
)
DENIED = Problem(
    "denied",
    403,
    "Nothing was connected",
    "You did not allow any of what the application asked for.",
    "You can close this page. If you have changed your mind, try again.",
)
FOREIGN_ORIGIN = Problem(
    "foreign_origin",
    403,
    "This did not come from our page",
    "Another site has sent this form.",
    "Open the link of the application again.",
)
ADMIN_NEEDED = Problem(
    "admin_needed",
    403,
    "Your organization must allow this first",
    "An administrator of your organization decides which applications may read its mail.",
    "Ask your administrator to approve the application for you; then try again.",
)
PROVIDER_PROBLEM = Problem(
    "provider_error",
    502,
    "The provider reported a problem",
    "It did not say that you declined; it may be that your organization forbids it.",
    _TRY_AGAIN,
)
NOTHING_TICKED = Problem(
    "nothing_chosen",
    400,
    "Nothing was chosen",
    "Tick at least one box, so that there is something to connect.",
    "",
)

#: What may go wrong on purpose, or because a store is down.
FAILURES = (HeadraceError, RedisError, PyMongoError)


#: Microsoft's codes for consent that only an administrator can give.
#: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_ADMIN_CODES = ("AADSTS90093", "AADSTS90094", "AADSTS90095")


def refused(code: str, description: str) -> Problem:
    """Return what a person is told whom the provider sent back with an error."""
    if any(admin_code in description for admin_code in _ADMIN_CODES):
        return ADMIN_NEEDED
    return DENIED if code == "access_denied" else PROVIDER_PROBLEM


def problem_of(error: Exception) -> Problem:
    """Return what a person is told about `error`."""
    found = (problem for kind, problem in _PROBLEMS if isinstance(error, kind))
    return next(found, _UNREACHABLE)


def failed(request: Request, error: Exception, link: Link | None = None) -> Response:
    """Answer that it came to nothing because of `error`."""
    # Of errors only the operator's is shown: it names settings, and nothing that came in.
    detail = str(error) if isinstance(error, Misconfigured) else ""
    return problem_page(request, problem_of(error), link, detail)


def problem_page(
    request: Request, problem: Problem, link: Link | None = None, detail: str = ""
) -> Response:
    """Answer with a problem; with a `link` there is a way to try again, and one back."""
    name = request.path_params["provider"]
    count(name if name in PROVIDERS else "unknown", problem.outcome)
    page = render(
        "connect/problem.html",
        problem=problem,
        detail=detail,
        again=link.url() if link else "",
        back=link.way_back(status=problem.outcome, provider=link.provider) if link else "",
    )
    headers = {"Retry-After": "30"} if problem.status == 503 else {}
    return HTMLResponse(page, problem.status, headers)


def count(provider: str, outcome: str) -> None:
    """Count how connecting ended."""
    metrics.CONNECTS.labels(provider, outcome).inc()
