"""A plan out of JSON, with all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from pipeline.outreach.plans import advice, content, graph, reports, wording
from pipeline.outreach.plans.problems import InvalidPlan, Problem
from pipeline.outreach.plans.schema import Plan

#: A version must fit into a document of MongoDB's, which has 16 MB, with room to spare.
MOST_BYTES = 4_000_000
#: Fields that can be wrong without hiding what else is: a plan can be read without them.
_LEFT_OUT = {
    "within", "after", "delay", "at", "no_open_after", "no_click_after", "subject", "body", "text",
    "version",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan, if it has no errors, and what is wrong with it or may not be as it was meant."""

    plan: Plan | None
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read(raw: Mapping[str, Any]) -> Plan:
    """Return the plan that `raw` says.  Raises InvalidPlan with all problems."""
    checked = check(raw)
    if checked.plan is None:
        raise InvalidPlan(checked.errors)
    return checked.plan


def check(raw: Mapping[str, Any]) -> Checked:
    """Return the plan that `raw` says, or all that is wrong with it; never raises."""
    if not isinstance(raw, Mapping):
        return Checked(None, [Problem("", "a plan is an object; give one in braces")])
    try:
        plan, errors = Plan.model_validate(raw), []
    except ValidationError as error:
        found = error.errors()
        errors = wording.told(found)
        rest = _without(raw, found)
        if rest is None:
            return Checked(None, errors)
        plan = rest
    seen = {problem.path for problem in errors}
    errors += [problem for problem in _problems(plan) if problem.path not in seen]
    return Checked(None, errors) if errors else Checked(plan, [], advice.warnings(plan))


def canonical(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON in camelCase, as it is stored: without what it does not say."""
    return plan.model_dump(mode="json", by_alias=True, exclude_none=True)


def digest(plan: Plan) -> str:
    """Return the SHA-256 of a plan as JSON with sorted keys."""
    return sha256(_json(plan)).hexdigest()


def _json(plan: Plan) -> bytes:
    return json.dumps(canonical(plan), sort_keys=True, separators=(",", ":")).encode()


def _problems(plan: Plan) -> Iterable[Problem]:
    """Return what is wrong with a plan whose parts are right."""
    found = graph.problems(plan) + content.problems(plan) + reports.problems(plan)
    if len(_json(plan)) > MOST_BYTES:
        found.append(Problem("", f"the plan has more than {MOST_BYTES // 1_000_000} MB"))
    return dict.fromkeys(found)


def _without(raw: Mapping[str, Any], errors: Iterable[Any]) -> Plan | None:
    """Return a plan without what is wrong, to see what else is; None if that leaves none."""
    rest = deepcopy(dict(raw))
    for error in errors:
        if not error["loc"]:  # one of its names holds half a character
            return None
        *way, last = error["loc"]
        part: Any = rest
        if error["type"] != "extra_forbidden" and last not in _LEFT_OUT:
            return None
        for step in way:
            part = part[step]
        part.pop(last, None)
    try:
        return Plan.model_validate(rest)
    except ValidationError:
        return None
