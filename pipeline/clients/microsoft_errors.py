"""Microsoft's refusals, of Graph and of the token endpoint, as our errors.

https://learn.microsoft.com/graph/errors
https://learn.microsoft.com/entra/identity-platform/reference-error-codes

Our messages carry method, status and code.  What Microsoft writes besides holds
addresses, ids and tenants, so it is only parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pipeline.clients.retry_after import seconds_of_header
from pipeline.errors import (
    Changed,
    CursorExpired,
    Gone,
    HeadraceError,
    Misconfigured,
    Permanent,
    RateLimited,
    ReauthRequired,
    Transient,
)

#: What to wait where Graph does not say; a mailbox that is asked too much at once is soon free.
_WAIT_SECONDS = 30.0
_CONCURRENCY_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 86_400.0

_NO_MAILBOX = "this Microsoft account has no mailbox that can be read"
#: By code, in lower case: Graph is not of one mind about it.
_MEANINGS: dict[str, type[HeadraceError]] = {
    "syncstatenotfound": CursorExpired,
    "syncstateinvalid": CursorExpired,
    "resyncrequired": CursorExpired,
    "errorirresolvableconflict": Changed,
    "erroraccessdenied": ReauthRequired,
    "accessdenied": ReauthRequired,
    "authorization_requestdenied": ReauthRequired,
    "erroraccountdisabled": ReauthRequired,
    "mailboxinfostale": Transient,
    "errormailboxmoveinprogress": Transient,
}
#: No mailbox, one that is inactive, or one on the company's own servers.
_WITHOUT_MAILBOX = frozenset(("mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi"))
_BY_STATUS: dict[int, type[HeadraceError]] = {
    401: ReauthRequired,  # the client has renewed the token and tried again by now
    404: Gone,
    408: Transient,
    409: Transient,
    410: Gone,
    412: Changed,
    424: Transient,  # what it depends on within its batch has failed
}
_TOKEN_MEANINGS: dict[str, type[HeadraceError]] = {
    "invalid_grant": ReauthRequired,
    "interaction_required": ReauthRequired,
    "consent_required": ReauthRequired,
    "login_required": ReauthRequired,
    "access_denied": ReauthRequired,
    "invalid_client": Misconfigured,
    "unauthorized_client": Misconfigured,
    "invalid_resource": Misconfigured,
    "invalid_scope": Misconfigured,
    "unsupported_grant_type": Misconfigured,
}
#: What the more usual of Entra's codes mean, for whoever reads the reason.
_ENTRA_WORDS = {
    "AADSTS50057": "the account is disabled",
    "AADSTS50076": "another proof of who signs in is needed",
    "AADSTS50079": "another proof of who signs in is needed",
    "AADSTS50173": "the grant was revoked, or the password changed",
    "AADSTS53003": "the organization's rules forbid it",
    "AADSTS65001": "consent was withdrawn",
    "AADSTS70008": "the grant has expired",
    "AADSTS700016": "no such application in the directory",
    "AADSTS700082": "the grant was not used for too long",
    "AADSTS7000215": "MICROSOFT_CLIENT_SECRET is wrong",
    "AADSTS7000222": "MICROSOFT_CLIENT_SECRET has expired",
}
#: These are about our registration, whatever the code beside them.
_OURS = frozenset(("AADSTS700016", "AADSTS7000215", "AADSTS7000222"))

#: How long a subscription may live is said in the text alone.
_TOO_LONG = re.compile(r"expiration can only be (\d+) minutes")
_CODE = re.compile(r"[A-Za-z][A-Za-z_.]{0,60}")
_ENTRA_CODE = re.compile(r"AADSTS\d{4,8}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One HTTP error answer of Graph, taken apart; or one part of a batch's answer."""

    method: str
    status: int
    code: str
    text: str  # lower case; may hold personal data
    wait_seconds: float  # 0: not said

    @classmethod
    def of(cls, method: str, status: int, headers: Mapping[str, str], body: object) -> Self:
        """Take an answer apart; `body` is its JSON, or None if it is none."""
        error = body.get("error") if isinstance(body, dict) else None
        error = error if isinstance(error, dict) else {}
        code = str(error.get("code", ""))
        asked = next((v for n, v in headers.items() if n.lower() == "retry-after"), "")
        return cls(
            method=method,
            status=status,
            code=code if _CODE.fullmatch(code) else "",
            text=str(error.get("message", "")).lower(),
            wait_seconds=seconds_of_header(str(asked)),
        )

    def __str__(self) -> str:
        return f"{self.method} was answered {self.status}{f' ({self.code})' if self.code else ''}"

    @property
    def has_no_mailbox(self) -> bool:
        """Whether the account as such has no mailbox that can be read."""
        # Of a subscription the same code says that it is gone.
        named = self.code == "ResourceNotFound" and "/subscriptions" not in self.method
        return named or self.code.lower() in _WITHOUT_MAILBOX

    def meaning(self, *, follows_link: bool = False) -> HeadraceError:
        """Return the refusal as one of our errors.

        `follows_link` says that the request went on from where Graph had said; only
        then can a refusal mean that the place is not known any more.
        """
        code = self.code.lower()
        if code in _MEANINGS:
            return _MEANINGS[code](str(self))
        if code in _WITHOUT_MAILBOX or (
            code == "resourcenotfound" and "/subscriptions" not in self.method
        ):
            return ReauthRequired(f"{self}: {_NO_MAILBOX}")
        if self._is_rate_limit():
            return RateLimited(str(self), retry_after_seconds=self._pause_seconds())
        if self.status >= 500 or not (code or self.status == 401):
            # Without a code it is not Graph that speaks: a proxy's 404 must delete nothing.
            return Transient(str(self))
        if follows_link and self.status in (400, 410):
            return CursorExpired(str(self))
        if too_long := _TOO_LONG.search(self.text):
            return Permanent(f"{self}: at most {too_long[1]} minutes")
        return _BY_STATUS.get(self.status, Permanent)(str(self))

    def _is_rate_limit(self) -> bool:
        busy = self.status in (503, 504) and self.wait_seconds > 0
        return self.status == 429 or self.code == "ApplicationThrottled" or busy

    def _pause_seconds(self) -> float:
        usual = _CONCURRENCY_WAIT_SECONDS if "concurrency" in self.text else _WAIT_SECONDS
        return min(max(self.wait_seconds or usual, 1.0), _LONGEST_WAIT_SECONDS)


def token_refusal(
    what: str, answer: Mapping[str, Any], status: int, wait_seconds: float = 0
) -> HeadraceError:
    """Return what an error answer of the token endpoint means; `what` was refused."""
    code = str(answer.get("error", ""))
    entra = _ENTRA_CODE.search(str(answer.get("error_description", "")))
    named = [code if _CODE.fullmatch(code) else "no reason"]
    if entra:
        named.append(" ".join(filter(None, (entra.group(), _ENTRA_WORDS.get(entra.group())))))
    message = f"Microsoft refused {what} ({': '.join(named)})"
    if entra and entra.group() in _OURS:
        return Misconfigured(message)
    if status == 429 or (status >= 500 and wait_seconds):
        return RateLimited(message, retry_after_seconds=wait_seconds or _WAIT_SECONDS)
    if status >= 500:
        return Transient(message)
    return _TOKEN_MEANINGS.get(code, Transient)(message)
