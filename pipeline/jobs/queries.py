"""Queries that a person typed, with what is wrong in them said in words."""

from __future__ import annotations

import re

from pipeline.errors import Permanent
from pipeline.jobs.layout import STATES
from pipeline.jobs.search import TERMS, Query, parsed
from pipeline.queues import QUEUES
from pipeline.words import nearest, suggestion

#: A quoted text, or a word; what stands in quotes is nobody's mistake.
_WORD = re.compile(r'"[^"]*"|\S+')
_NAMED = re.compile(r"(\w+):(.*)", re.DOTALL)
#: A name in front of a colon that is as near as this to that of a term is a slip; the first
#: part of a job id, such as `sync`, is not.
_SLIP = 0.7


class WrongQuery(Permanent):
    """A query that makes no sense; says what would."""


def checked(text: str) -> Query:
    """Return the query that a person typed.  Raises WrongQuery for what cannot be meant."""
    if text.count('"') % 2:
        raise WrongQuery('a quotation mark has no partner; texts of several words are "quoted"')
    for word in _WORD.findall(text):
        if named := _NAMED.fullmatch(word):
            _check_term(named[1], named[2])
    query = parsed(text)
    for what, names, known in (("queue", query.queues, QUEUES), ("state", query.states, STATES)):
        for name in names:
            if name not in known:
                hint = suggestion(name, known) or f"; expected one of {', '.join(known)}"
                raise WrongQuery(f"there is no {what} {name!r}{hint}")
    return query


def _check_term(name: str, value: str) -> None:
    if name in TERMS:
        if value in ("", '""'):
            raise WrongQuery(f"{name}: needs a value right behind it, without a blank")
    elif meant := nearest(name, TERMS, cutoff=_SLIP):
        raise WrongQuery(
            f"there is no term {name}:; did you mean {meant}:? Quoted, it is looked for as a text"
        )
