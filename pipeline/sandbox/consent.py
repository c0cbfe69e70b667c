"""Google's consent pages: who are you, and what may the application see.

Plain forms by GET: every page repeats the authorization request and adds to it
`login_hint` and `account=chosen`, then `consent` ("chosen" or "denied") and an `allow_scope`
for each tick.
A program that wants no pages says `consent=given`, with a `deny_scope` for each refusal.
https://developers.google.com/identity/protocols/oauth2/resources/granular-permissions
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from http import HTTPStatus

from pipeline.sandbox.calls import Call, Reply
from pipeline.sandbox.grants import IDENTITY_SCOPES
from pipeline.sandbox.store import User

#: More accounts than this are found by typing, not by looking.
_MOST_ACCOUNTS = 50
#: What the pages add to the request.
_ADDED = frozenset(("login_hint", "account", "consent", "allow_scope", "deny_scope"))

_WORDS = {
    "https://www.googleapis.com/auth/calendar.readonly": "See your calendars and their events",
    "https://www.googleapis.com/auth/gmail.readonly": "Read your mail and settings",
    "https://www.googleapis.com/auth/contacts.readonly": "See your contacts",
    "https://www.googleapis.com/auth/tasks.readonly": "See your tasks",
}

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem}"
    "ul{list-style:none;padding:0}li{margin:.5rem 0}small{color:#5f6368}"
    "button,input[type=email]{font:inherit;padding:.4rem 1rem;margin-right:.5rem}"
)


def account_page(call: Call, users: Iterable[User]) -> Reply:
    """The page on which one of `users` says who they are."""
    known = list(users)
    entries = "".join(_account(call, user) for user in known[:_MOST_ACCOUNTS])
    more = len(known) - _MOST_ACCOUNTS
    rest = f"<p><small>and {more} more: type the address</small></p>" if more > 0 else ""
    other = (
        f"{hidden(call)}<label>Another account <input type=email name=login_hint required></label>"
        "<button>Next</button>"
    )
    return page("Choose an account", f"<ul>{entries}</ul>{rest}{form(call, other)}")


def _account(call: Call, user: User) -> str:
    hint = hidden_input("login_hint", user.user)
    return f"<li>{form(call, f'{hidden(call)}{hint}<button>{escaped(user.email)}</button>')}</li>"


def consent_page(call: Call, user: User, scopes: frozenset[str], has: frozenset[str]) -> Reply:
    """The page on which `user` allows the application some of `scopes`; `has` it has already.

    Every box is ticked at first, unlike at Google, so that a demo takes one click.
    """
    asked = sorted(scopes - frozenset(IDENTITY_SCOPES))
    boxes = "".join(
        f"<li>{escaped(_words(scope))} <small>(it has this already)</small></li>"
        if scope in has
        else f"<li><label><input type=checkbox name=allow_scope value='{escaped(scope)}' checked> "
        f"{escaped(_words(scope))}</label></li>"
        for scope in asked
    )
    buttons = (
        "<button name=consent value=chosen>Continue</button>"
        "<button name=consent value=denied>Cancel</button>"
    )
    hint = hidden_input("login_hint", user.user)
    content = (
        f"<p>{escaped(user.email)}</p>"
        "<p>It sees your address.  Choose what else it may see:</p>"
        + form(call, f"<ul>{boxes}</ul>{hidden(call)}{hint}{buttons}")
    )
    return page("Headrace wants access to your account", content)


def page(title: str, content: str, status: int = HTTPStatus.OK) -> Reply:
    """A whole page; `content` is HTML."""
    head = (
        "<meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<link rel=icon href='data:,'>"  # or browsers ask for one, and complain
        f"<title>{escaped(title)}</title><style>{_STYLE}</style>"
    )
    text = f"<!doctype html><html lang=en>{head}<h1>{escaped(title)}</h1>{content}</html>"
    headers = (("referrer-policy", "no-referrer"),)
    return Reply(text.encode(), status, headers, "text/html; charset=UTF-8")


def allowed(call: Call, scopes: frozenset[str], has: frozenset[str]) -> frozenset[str]:
    """What is granted of `scopes` once the person has pressed Continue."""
    ticked = frozenset(call.many("allow_scope"))
    return scopes & (ticked | has | frozenset(IDENTITY_SCOPES))


def _words(scope: str) -> str:
    return _WORDS.get(scope, scope)


def form(call: Call, content: str) -> str:
    """A form that comes back to this address, by GET."""
    return f"<form action='{escaped(call.path)}'>{content}</form>"


def hidden(call: Call) -> str:
    """The authorization request, to be sent along."""
    kept = [(name, value) for name, value in call.query if name not in _ADDED]
    return "".join(hidden_input(name, value) for name, value in (*kept, ("account", "chosen")))


def hidden_input(name: str, value: str) -> str:
    return f"<input type=hidden name='{escaped(name)}' value='{escaped(value)}'>"


def escaped(value: str) -> str:
    return html.escape(value, quote=True)
