"""What an exit code means, and which error leads to which."""

from __future__ import annotations

import typer

from pipeline.errors import HeadraceError, Misconfigured, RateLimited, Transient

OK = 0
FAILED = 1
USAGE = 2
MISCONFIGURED = 3
NO_ANSWER = 4
INTERRUPTED = 130

#: For `headrace --help`; code and meaning.
MEANINGS = {
    OK: "it worked, and all is well",
    FAILED: "differences, something unhealthy, or work that failed",
    USAGE: "wrong use: an unknown command, option, user or source",
    MISCONFIGURED: "a setting, key or package is wrong or missing",
    NO_ANSWER: "a store, the sandbox or a provider does not answer",
    INTERRUPTED: "stopped by Ctrl-C (`headrace up` then ends with 0)",
}

#: Packages whose errors mean that what they talk to does not answer as it should.
_STORES = {
    "pymongo": "MongoDB (MONGODB_URI)",
    "redis": "Redis (REDIS_URL)",
    "neo4j": "the graph (GRAPH_URI)",
    "requests": "the sandbox (GOOGLE_API_BASE_URL)",
    "urllib3": "the sandbox (GOOGLE_API_BASE_URL)",
}


class WrongUse(typer.TyperException):
    """The command line asks for something that is not there, or does not fit together."""


def exit_code_of(error: Exception) -> int:
    """Return the exit code that stands for `error`."""
    match error:
        case typer.TyperException():
            return USAGE
        case Misconfigured():
            return MISCONFIGURED
        case Transient() | RateLimited():
            return NO_ANSWER
    if _class_name(error) == "SandboxError":  # it names the argument that it refuses
        return USAGE
    return NO_ANSWER if _store_of(error) else FAILED


def is_expected(error: Exception) -> bool:
    """Return whether `error` is a situation, and not a fault of this program."""
    known = isinstance(error, HeadraceError | typer.TyperException)
    return known or _store_of(error) is not None or _class_name(error) == "SandboxError"


def message_of(error: Exception) -> str:
    """Return what to say about `error`.

    Of an error that is not ours only the class: its text may hold addresses or data.
    """
    if isinstance(error, typer.TyperException):
        return error.format_message()
    if store := _store_of(error):
        return f"{store} does not answer as it should: {_class_name(error)}"
    if _class_name(error) == "SandboxError":
        return f"the sandbox refuses: {error}"
    if isinstance(error, HeadraceError):
        return str(error)
    return f"unexpected {_class_name(error)}: this is a fault in Headrace, please report it"


def _class_name(error: Exception) -> str:
    return type(error).__name__


def _store_of(error: Exception) -> str | None:
    # By name, since importing four client libraries to compare would slow every start.
    packages = (kind.__module__.partition(".")[0] for kind in type(error).__mro__)
    return next((_STORES[package] for package in packages if package in _STORES), None)
