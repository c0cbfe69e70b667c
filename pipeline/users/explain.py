"""Errors in plain words, and what to do about each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.stores import Row

#: What happens next, by the class of the error; see pipeline.errors.
NEXT = {
    "Transient": "tried again by itself",
    "RateLimited": "goes on when the provider allows",
    "ReauthRequired": "the user must connect again",
    "Misconfigured": "needs an operator: see `headrace doctor`",
    "Permanent": "needs an operator: the provider refuses it",
    "CursorExpired": "listed again by itself",
}
_CONNECT_AGAIN = "Ask the user to connect again."
_BY_ITSELF = "Nothing: it is tried again by itself."


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error for people: what is wrong, what to do, and the words that were kept of it."""

    error: str
    text: str
    to_do: str
    original: str

    @property
    def waits_for_user(self) -> bool:
        """Whether only the user can mend it."""
        return self.error == "ReauthRequired"


#: What a message looks like, what it means, and what to do; the first that fits counts.
_REASONS: tuple[tuple[str, str, str], ...] = (
    (r"^disconnected$", "The account was disconnected.",
     "Nothing, unless the user is to be kept in sync: then send a connect link."),
    (r"\(invalid_grant[:)]", "Access was revoked, or has expired.", _CONNECT_AGAIN),
    (r"\(admin_policy_enforced\)|\(domainPolicy\)",
     "The user's organization does not allow this application.",
     "Ask its administrator to trust the application, then the user to connect again."),
    (r"needs the scope|scope was not granted|nsufficientScopes|nsufficientPermissions"
     r"|SCOPE_INSUFFICIENT|\(invalid_scope\)",
     "The user has not granted access to this source.",
     "Ask the user to connect again and to tick this source."),
    (r"credentials cannot be read", "The stored credentials cannot be read.", _CONNECT_AGAIN),
    (r"no mailbox", "The account has no mailbox.",
     "Nothing, or ask the user to connect an account that has one."),
    (r"there is no \w+ connection", "No account is connected.", "Send the user a connect link."),
    (r"\(accessNotConfigured\)|\(SERVICE_DISABLED\)",
     "The provider's API is not enabled for this application.",
     "Enable it in the Google Cloud console; it goes on by itself then."),
    (r"^Microsoft refused .*\((invalid|unauthorized)_client[:)]|AADSTS700016",
     "Microsoft does not accept this application's client.",
     "Check MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET; see `headrace doctor`."),
    (r"\(invalid_client\)|\(unauthorized_client\)|\(deleted_client\)|\(disabled_client\)",
     "The provider does not accept this application's client.",
     "Check GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET; see `headrace doctor`."),
    (r"ENCRYPTION_KEYS", "The key that the credentials were encrypted with is missing.",
     "Add it to ENCRYPTION_KEYS."),
)  # fmt: skip

#: What an error of each class means where its message says no more.
_CLASSES: dict[str, tuple[str, str]] = {
    "Transient": ("The provider or a store did not answer properly.", _BY_ITSELF),
    "RateLimited": ("A quota is used up.", "Nothing: it goes on when the quota allows."),
    "ReauthRequired": ("Access was refused.", _CONNECT_AGAIN),
    "Misconfigured": ("A setting or a key is wrong.", "See `headrace doctor`."),
    "Permanent": ("The provider refuses what is asked of it.",
                  "Look at the jobs and dead letters of the user; this may be a bug."),
    "CursorExpired": ("The provider has forgotten where we were.",
                      "Nothing: all is listed anew by itself."),
    "NotActive": ("The user is not active, so nothing is done for them.",
                  "Nothing, unless the user is to be kept in sync: then activate the user."),
    "Gone": ("The provider says that it does not exist (any more).", _BY_ITSELF),
    "LeaseLost": ("Another run took over.", _BY_ITSELF),
}  # fmt: skip
_UNKNOWN = ("Something unexpected went wrong.", "Look into the worker's log; it is tried again.")


def explained(error: Row | None) -> Explanation | None:
    """Return what a stored error means; None where there is none."""
    if not error:
        return None
    name, message = str(error.get("class", "")), str(error.get("message", ""))
    for pattern, text, to_do in _REASONS:
        if re.search(pattern, message):
            return Explanation(name, text, to_do, message)
    text, to_do = _CLASSES.get(name, _UNKNOWN)
    if name == "RateLimited" and error.get("scope") in ("project", "day"):
        text = "A quota that all users share is used up."
    return Explanation(name, text, to_do, message)


def error_text(error: Row | None) -> str:
    """Return the message of a stored error, or its class where the message is not to be told."""
    return (error or {}).get("message") or (error or {}).get("class") or ""
