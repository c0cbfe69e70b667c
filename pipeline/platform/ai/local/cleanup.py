"""Cleaning a note up by rules: broken characters, spacing, punctuation, capitals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from pipeline.platform.ai import results
from pipeline.platform.ai.options import NoteOptions
from pipeline.platform.ai.results import Change
from pipeline.platform.ai.tasks import Task

#: A note that is not clean after so many passes stays as it is then.
_MOST_PASSES = 5
_Replace = str | Callable[[re.Match[str]], str]


class _Rule(NamedTuple):
    """A sort of change: what is replaced, and by what."""

    type: str
    pattern: re.Pattern[str]
    replace: _Replace


def _rule(type_: str, pattern: str, replace: _Replace, flags: int = 0) -> _Rule:
    return _Rule(type_, re.compile(pattern, flags), replace)


_SHORT_FORMS = {
    "asap": "as soon as possible",
    "b/c": "because",
    "btw": "by the way",
    "fyi": "for your information",
    "mtg": "meeting",
    "pls": "please",
    "plz": "please",
    "thx": "thanks",
    "tmrw": "tomorrow",
    "w/": "with",
    "w/o": "without",
}
_SHORT_FORM = "|".join(sorted(map(re.escape, _SHORT_FORMS), key=len, reverse=True))


def _written_out(match: re.Match[str]) -> str:
    found = match[0]
    whole = _SHORT_FORMS[found.casefold()]
    return whole.capitalize() if found[0].isupper() else whole


_LIGHT = (
    _rule("line_ends", r"\r\n?", "\n"),
    _rule("spacing", r"(?<![ \t\u00a0])[ \t\u00a0]+$", "", re.MULTILINE),
    _rule("spacing", r"(?<=\S)[ \t\u00a0]{2,}(?=\S)", " "),
    _rule("blank_lines", r"\n{3,}", "\n\n"),
    # Not before the others: French wants it there.
    _rule("punctuation", r"(?<=\w) +(?=[,.](?:\s|$))", ""),
    _rule("punctuation", r"([!?])\1+", r"\1"),
    _rule("punctuation", r"(?<!\.)\.{4,}|(?<=\w),{2,}", lambda m: "…" if m[0][0] == "." else ","),
    _rule("punctuation", r"(?<=[^\W\d]),(?=[^\W\d])", ", "),
    _rule("bullets", r"^([ \t]*)[*•·–](?=[ \t]+\S)", r"\1-", re.MULTILINE),
)
_FULL = (
    _rule(
        "abbreviations",
        rf"(?<![\w/])(?:{_SHORT_FORM})(?![\w/])",
        _written_out,
        re.IGNORECASE,
    ),
    # The first letter of a line or after the end of a sentence; not of addresses or names of files.
    _rule(
        "capitals",
        r"(?:^(?:[ \t]*(?:-[ \t]+)?)|(?<=[^\W\d_]{3}[.!?] ))([^\W\d_])(?=[^\W_]*[\s,;:.!?'’])",
        lambda m: m[0][: m.start(1) - m.start()] + m[1].upper(),
        re.MULTILINE,
    ),
    # At the end of a paragraph of some words; entries of lists and signatures have none.
    _rule(
        "full_stops",
        r"^(?!\s*-)(?=(?:\S+ ){2}).*[^\W\d_]{2}$(?=\n\n|\Z)",
        r"\g<0>.",
        re.MULTILINE,
    ),
)


def clean(task: Task) -> results.CleanNote:
    """Return the note with what was changed, and how often."""
    assert isinstance(task.options, NoteOptions)
    note = task.content.text
    rules = _LIGHT if task.options.style == "light" else _LIGHT + _FULL
    counts: Counter[str] = Counter()
    cleaned, before = note, ""
    # What one rule has mended may be what another looks for.
    for _ in range(_MOST_PASSES):
        before, cleaned = cleaned, _mended(cleaned, rules, counts)
        if cleaned == before:
            break
    if not cleaned:  # it had nothing but characters that no text has
        cleaned, counts = note, Counter()
    return results.CleanNote(
        cleaned_content=cleaned,
        style=task.options.style,
        changes=[Change(type=name, count=count) for name, count in counts.items()],
        original_length=len(note),
        cleaned_length=len(cleaned),
    )


def _mended(note: str, rules: tuple[_Rule, ...], counts: Counter[str]) -> str:
    """Return a note after these rules; add how many changes of each sort were made."""
    import ftfy

    lines = note.splitlines(keepends=True)
    # Quotation marks are no mistake, whatever their shape.
    fixed = [ftfy.fix_text(line, uncurl_quotes=False) for line in lines]
    broken = sum(a.strip() != b.strip() for a, b in zip(lines, fixed, strict=True))
    cleaned = "".join(fixed).strip()
    made = [("encoding", broken)]
    for rule in rules:
        cleaned, count = _replaced(rule, cleaned)
        made.append((rule.type, count))
    for name, count in made:
        if count:
            counts[name] += count
    return cleaned.strip()


def _replaced(rule: _Rule, text: str) -> tuple[str, int]:
    """Replace, and count only what has become something else."""
    changed = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal changed
        new = rule.replace(match) if callable(rule.replace) else match.expand(rule.replace)
        changed += new != match[0]
        return new

    return rule.pattern.sub(replace, text), changed
