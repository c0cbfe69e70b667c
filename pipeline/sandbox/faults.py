"""Misbehaviour on demand: rules that match requests and say what goes wrong with them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from pipeline.sandbox.calls import ApiError, Call, Method, Reply, dump_json
from pipeline.sandbox.faulty_items import WHATS, spoil_page
from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.outreach import FORGERIES, SENDGRID_API, TWILIO_API
from pipeline.sandbox.push.tokens import HOWS

#: Kind: the params that it takes.
KINDS: dict[str, frozenset[str]] = {
    "status": frozenset(("code", "reason", "message", "retry_after", "rpc_status", "when")),
    "hang": frozenset(("seconds", "when")),
    "slow": frozenset(("seconds",)),
    "drop": frozenset(("after_bytes", "when")),
    "malformed_item": frozenset(("what", "mode")),
    "invalid_json": frozenset(),
    "expire_cursor": frozenset(("at",)),
    "short_pages": frozenset(("size", "empty")),
    "push_lose": frozenset(),
    "push_duplicate": frozenset(),
    "push_delay": frozenset(("seconds",)),
    "push_reorder": frozenset(("seconds",)),
    "push_silence": frozenset(),
    "push_wrong_token": frozenset(),
    "push_wrong_jwt": frozenset(("how",)),
    "push_unanswered": frozenset(),
    "push_split": frozenset(),
    "push_forge": frozenset(("how",)),
    "push_foreign": frozenset(),
}
#: An answer without a body is cut by promising one.
_MISSING = b" "
#: Values of `when`: whether the fault strikes instead of the work, or after it is done.
_WHENS = ("before", "after")
#: When kinds strike that are not told; the others strike after it.
_EARLY = {"status": "before"}
#: Kinds that strike notifications instead of requests, and the APIs that they can strike.
_ALL = frozenset(("calendar", "gmail", "microsoft", SENDGRID_API, TWILIO_API))
_SENDGRID = frozenset((SENDGRID_API,))
PUSH_KINDS = {kind: _ALL for kind in KINDS if kind.startswith("push_")} | {
    "push_silence": _ALL - {SENDGRID_API, TWILIO_API},
    "push_wrong_token": frozenset(("calendar", "microsoft")),
    "push_wrong_jwt": frozenset(("gmail",)),
    "push_unanswered": _SENDGRID,
    "push_split": _SENDGRID,
    "push_forge": _SENDGRID,
    "push_foreign": _SENDGRID,
}
#: Kinds that keep a notification back; they strike each only once.
_HOLDING = frozenset(("push_delay", "push_reorder"))
_MATCHES = frozenset(("api", "method", "user", "path"))
_RULE_FIELDS = frozenset(("match", "kind", "times", "probability", "params", "seed"))
#: Params that are numbers, and the lowest that makes sense.
_NUMBERS = {"code": 100, "seconds": 0, "after_bytes": 0, "size": 1, "retry_after": 0}
_CURSORS = frozenset(("syncToken", "startHistoryId", "$deltatoken", "$skiptoken"))
_PAGES = frozenset(("pageToken", "$skiptoken"))


@dataclass
class Fault:
    """One rule.  `left` is how often it still strikes; None means for ever."""

    fault_id: int
    kind: str
    match: dict[str, str]
    params: dict[str, Any]
    left: int | None
    probability: float
    random: Random
    hits: int = 0

    def described(self) -> dict[str, Any]:
        names = ("kind", "match", "params", "left", "probability", "hits")
        return {"id": self.fault_id} | {name: getattr(self, name) for name in names}

    def strikes(self, call: Call, method: Method, user: str | None) -> bool:
        """Whether this rule applies to a request now; counts it if so."""
        facts = {"api": method.api, "method": method.name, "user": user or "", "path": call.path}
        return self._concerns(call, method) and self._strikes(facts)

    def strikes_push(self, facts: dict[str, str], *, held: bool) -> bool:
        """Whether this rule applies to a notification now; counts it if so."""
        if facts["api"] not in PUSH_KINDS.get(self.kind, ()):
            return False
        return not (held and self.kind in _HOLDING) and self._strikes(facts)

    def _strikes(self, facts: dict[str, str]) -> bool:
        if self.left == 0:
            return False
        if not all(fnmatchcase(facts[name], wanted) for name, wanted in self.match.items()):
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return True

    def _concerns(self, call: Call, method: Method) -> bool:
        if self.kind in PUSH_KINDS:
            return False
        if method.open and not {"api", "method", "path"} & set(self.match):
            return False  # a rule for "everything" does not mean the token endpoint
        if self.kind == "short_pages":
            return method.name.endswith((".list", ".delta"))
        if self.kind != "expire_cursor":
            return True
        used = any(call.text(name) for name in _CURSORS)
        later = any(call.text(name) for name in _PAGES)
        return used and (later or self.params.get("at") != "later_page")


@dataclass
class Faults:
    """The rules in force, oldest first; the first that strikes is the one."""

    _rules: list[Fault] = field(default_factory=list)
    _last_id: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: dict[str, Any]) -> dict[str, Any]:
        """Add a rule and describe it.  Raises ValueError that names the field at fault."""
        _check_rule(rule)
        with self._lock:
            self._last_id += 1
            times = rule.get("times", None if "probability" in rule else 1)
            fault = Fault(
                self._last_id,
                rule["kind"],
                rule.get("match", {}),
                rule.get("params", {}),
                times,
                float(rule.get("probability", 1.0)),
                Random(rule.get("seed", self._last_id)),
            )
            self._rules.append(fault)
            return fault.described()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.described() for fault in self._rules]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def choose(self, call: Call, method: Method, user: str | None) -> Fault | None:
        if not self._rules:
            return None
        with self._lock:
            return next((f for f in self._rules if f.strikes(call, method, user)), None)

    @property
    def any_push(self) -> bool:
        """Whether a rule may still strike a notification."""
        with self._lock:
            return any(f.kind in PUSH_KINDS and f.left != 0 for f in self._rules)

    def choose_push(self, api: str, user: str, path: str, *, held: bool) -> Fault | None:
        """The fault of a notification to `path`; its method is called `push`.

        One that was `held` back before is not held back again.
        """
        if not self._rules:
            return None
        facts = {"api": api, "method": "push", "user": user, "path": path}
        with self._lock:
            return next((f for f in self._rules if f.strikes_push(facts, held=held)), None)


def before(call: Call, method: Method) -> None:
    """What a fault does instead of the work.  Raises ApiError."""
    fault = call.fault
    if fault is None:
        return
    is_early = fault.params.get("when", _EARLY.get(fault.kind)) == "before"
    if fault.kind == "status" and is_early:
        raise _status(fault.params)
    if fault.kind in ("drop", "hang") and is_early:
        raise _status({})  # which nobody hears
    if fault.kind == "expire_cursor" and method.expired is not None:
        raise method.expired()


def instead(call: Call) -> None:
    """What a fault does instead of an answer, once the work is done.  Raises ApiError."""
    fault = call.fault
    if fault is not None and fault.kind == "status" and fault.params.get("when") == "after":
        raise _status(fault.params)


def after(reply: Reply, fault: Fault | None) -> Reply:
    """What a fault does to an answer."""
    change = None if fault is None else _CHANGES.get(fault.kind)
    return reply if fault is None or change is None else change(reply, fault.params)


def _status(params: dict[str, Any]) -> ApiError:
    code = int(params.get("code", 503))
    reason = str(params.get("reason", "backendError" if code >= 500 else "rateLimitExceeded"))
    message = str(params.get("message", "Backend Error" if code >= 500 else reason))
    after_seconds = params.get("retry_after")
    headers = () if after_seconds is None else (("retry-after", str(after_seconds)),)
    return ApiError(code, reason, message, params.get("rpc_status"), headers=headers)


def _cut(reply: Reply, params: dict[str, Any]) -> Reply:
    at_bytes = int(params.get("after_bytes", len(reply.body) // 2))
    return replace(reply, body=reply.body or _MISSING, cut_at_bytes=at_bytes)


def _hang(reply: Reply, params: dict[str, Any]) -> Reply:
    seconds = float(params.get("seconds", 30))
    return replace(reply, body=reply.body or _MISSING, delay_seconds=seconds, cut_at_bytes=0)


def _slow(reply: Reply, params: dict[str, Any]) -> Reply:
    return replace(reply, delay_seconds=float(params.get("seconds", 1)))


def _truncate(reply: Reply, _params: dict[str, Any]) -> Reply:
    return replace(reply, body=reply.body[: max(1, len(reply.body) * 2 // 3)])


def _spoil(reply: Reply, params: dict[str, Any]) -> Reply:
    if reply.status != 200:
        return reply
    what, mode = params.get("what", "no_id"), params.get("mode", "replace")
    return replace(reply, body=dump_json(spoil_page(json.loads(reply.body), what, mode)).encode())


_CHANGES: dict[str, Callable[[Reply, dict[str, Any]], Reply]] = {
    "drop": _cut,
    "hang": _hang,
    "slow": _slow,
    "invalid_json": _truncate,
    "malformed_item": _spoil,
}


def _check_rule(rule: dict[str, Any]) -> None:
    given = Fields(rule, _RULE_FIELDS)
    kind = given.choice("kind", KINDS)
    match = Fields(rule.get("match", {}), _MATCHES, "match.")
    for name in rule.get("match", {}):
        match.text(name)
    params = Fields(rule.get("params", {}), KINDS[kind], "params.")
    for name, lowest in _NUMBERS.items():
        if params.has(name) and params.number(name) < lowest:
            refuse(f"params.{name}", f"must be at least {lowest}")
    if params.has("code") and params.number("code") > 599:
        refuse("params.code", "must be at most 599")
    if params.has("what"):
        params.choice("what", WHATS)
    if params.has("how"):
        params.choice("how", FORGERIES if kind == "push_forge" else HOWS)
    if params.has("when"):
        params.choice("when", _WHENS)
    if rule.get("times", 1) is not None:
        given.whole("times", 1, lowest=1)
    if given.has("probability") and not 0 < given.number("probability") <= 1:
        refuse("probability", "needs a number above 0 and up to 1")
