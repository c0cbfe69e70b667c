"""Microsoft's pages: who are you, do you accept what the application asks for.

All of it or nothing: there are no ticks.  A program that wants no pages says `consent=given` or
`consent=denied`.  https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode, urlsplit, urlunsplit

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.consent import escaped, form, hidden, hidden_input, page
from pipeline.sandbox.microsoft.tokens import IDENTITY_SCOPES
from pipeline.sandbox.store import User

_WORDS = {
    "User.Read": "Sign you in and read your profile",
    "Mail.Read": "Read your mail",
    "Mail.ReadBasic": "Read your mail, without its text",
    "Mail.ReadWrite": "Read and write access to your mail",
    "Mail.Send": "Send mail as you",
    "MailboxSettings.Read": "Read your mailbox settings",
    "MailboxSettings.ReadWrite": "Read and write to your mailbox settings",
}


def consent_page(call: Call, user: User, scopes: frozenset[str]) -> Reply:
    """The page on which `user` accepts all of `scopes`, or nothing."""
    asked = sorted(scopes - frozenset(IDENTITY_SCOPES))
    lines = "".join(f"<li>{escaped(_WORDS.get(scope, scope))}</li>" for scope in asked)
    buttons = (
        "<button name=consent value=given>Accept</button>"
        "<button name=consent value=denied>Cancel</button>"
    )
    content = (
        f"<p>{escaped(user.email)}</p><p>Headrace would like to:</p><ul>{lines}"
        "<li>Maintain access to data you have given it access to</li></ul>"
        + form(call, f"{hidden(call)}{hidden_input('login_hint', user.user)}{buttons}")
    )
    return page("Permissions requested", content)


def sent_back(call: Call, answer: dict[str, str]) -> Reply:
    """Send the browser back with an answer, as `response_mode` wants it."""
    state = call.text("state")
    answer = answer if state is None else answer | {"state": state}
    redirect_uri = call.text("redirect_uri") or ""
    if call.text("response_mode") == "form_post":
        return _posted(redirect_uri, answer)
    target = urlsplit(redirect_uri)
    query = "&".join(part for part in (target.query, urlencode(answer)) if part)
    location = urlunsplit((target.scheme, target.netloc, target.path, query, ""))
    return Reply(b"", HTTPStatus.FOUND, (("location", location),), "text/html; charset=UTF-8")


def _posted(redirect_uri: str, answer: dict[str, str]) -> Reply:
    """A page whose form sends itself, or is sent by hand where scripts do not run."""
    fields = "".join(hidden_input(name, value) for name, value in answer.items())
    content = (
        f"<form method=post action='{escaped(redirect_uri)}'>{fields}<button>Continue</button>"
        "</form><script>document.forms[0].submit()</script>"
    )
    return page("Working…", content)
