"""Reading a CSV file row by row: its delimiter, its headings, and the number of each row.

Rows are numbered as a spreadsheet does: the headings are row 1, and a row whose texts have line
breaks in them is one row.  A row that cannot be read is reported; those behind it can be.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, Self

from pipeline.outreach.contact_fields import KEYS, NAMES, field_name
from pipeline.refusals import Refused

_DELIMITERS = ",;\t"
#: Lines that the delimiter is found out by.
_SAMPLE_LINES = 20
_QUOTED = re.compile(r'"[^"]*"')
#: A longer row has a quotation mark that is a mistake; a longer line is none of a CSV file.
_MOST_CHARACTERS = 100_000
_UNREADABLE = (
    "its quotation marks do not match: one is not closed, or has text behind it; "
    "within a text, write one as two"
)
_NOT_UTF8 = "the file is not in UTF-8: save it as “CSV UTF-8” and import it again"
#: What headings are commonly called, as letters and digits alone.
_CALLED = {
    "email": ("email", "emailaddress", "mail"),
    "phone": ("phone", "phonenumber", "telephone", "mobile", "mobilephone", "tel"),
    "first_name": ("firstname", "givenname"),
    "last_name": ("lastname", "surname", "familyname"),
    "company": ("company", "organization", "organisation"),
    "time_zone": ("timezone", "tz"),
    "external_id": ("externalid",),
}
_NAME_OF = {called: name for name, names in _CALLED.items() for called in names}


@dataclass(frozen=True, slots=True)
class Column:
    """Where the values under a heading go: one of NAMES, or a further field; neither: nowhere."""

    name: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a row cannot be read."""

    problem: str


@dataclass(frozen=True, slots=True)
class File:
    """An open file: its columns, and its rows by number, to be read once."""

    columns: list[Column]
    rows: Iterator[tuple[int, list[str] | Unreadable]]


def decoded(source: IO[bytes]) -> Iterator[str]:
    """Return the lines of a file in UTF-8, with or without a byte order mark.

    Raises Refused at the line that is not, or at once for a file that is no text.
    """
    start = source.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused("file", _NOT_UTF8)
    if start[:2] == b"PK":
        raise Refused("file", "this is a spreadsheet or an archive: save it as “CSV UTF-8” first")
    source.seek(0)
    return _lines(io.TextIOWrapper(source, encoding="utf-8-sig", newline=""))


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    try:
        yield from iter(lambda: text.readline(_MOST_CHARACTERS), "")
    except UnicodeDecodeError:
        raise Refused("file", _NOT_UTF8) from None
    finally:
        text.detach()  # whoever has opened the file closes it


def opened(lines: Iterable[str], mapping: Mapping[str, str] | None = None) -> File:
    """Read the headings, and return how to go on.  Raises Refused if they will not do.

    `mapping` says for headings what they are: one of NAMES, the name of a further field, or ""
    for a column that is left out; the other headings are known by their names.
    """
    numbered = _numbered(lines)
    headings = next(numbered, (1, []))[1]
    if isinstance(headings, Unreadable):
        raise Refused("file", f"its headings cannot be read: {headings.problem}")
    return File(_columns([one.strip() for one in headings], mapping or {}), numbered)


class _Lines:
    """Lines of which those can be read again that a mistake in a row has swallowed."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._of_row: list[str] = []
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._of_row.append(line)
        self._characters += len(line)
        if self._characters > _MOST_CHARACTERS:
            raise csv.Error("the row is too long")
        return line

    def begin_row(self) -> None:
        """Go on to another row."""
        self._of_row.clear()
        self._characters = 0

    def give_back(self) -> None:
        """Have all lines of this row be read again but its first, where the mistake is."""
        self._again.extendleft(reversed(self._of_row[1:]))


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | Unreadable]]:
    """Yield the rows that are not blank with their numbers."""
    ahead = iter(lines)
    sample = list(islice(ahead, _SAMPLE_LINES))
    if sample:
        sample[0] = sample[0].removeprefix("\ufeff")
    source = _Lines(chain(sample, ahead))
    reader = csv.reader(source, delimiter=_delimiter(sample), strict=True)
    number = 0
    while True:
        number += 1
        source.begin_row()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            source.give_back()
            yield number, Unreadable(_UNREADABLE)
            continue
        if any(value.strip() for value in row):
            yield number, row


def _delimiter(sample: Sequence[str]) -> str:
    """Return what stands between the values of a row: as often in most rows as in the headings.

    csv.Sniffer would take minutes for some files of a few kilobytes.
    """
    rows = [_counted(line) for line in sample] or [dict.fromkeys(_DELIMITERS, 0)]
    headings = rows[0]
    used = [one for one in _DELIMITERS if headings[one]] or _DELIMITERS
    alike = {one: sum(row[one] == headings[one] for row in rows) for one in used}
    return max(used, key=lambda one: (alike[one], headings[one]))


def _counted(line: str) -> dict[str, int]:
    """Return how often each delimiter stands in a line, outside of quotation marks."""
    bare = _QUOTED.sub("", line)
    return {one: bare.count(one) for one in _DELIMITERS}


def _columns(headings: Sequence[str], mapping: Mapping[str, str]) -> list[Column]:
    unknown = sorted(set(mapping) - set(headings))
    if unknown:
        raise Refused("mapping", f"the file has no column {unknown[0]!r}")
    columns = [_column(n, heading, mapping) for n, heading in enumerate(headings, start=1)]
    seen: set[Column] = set()
    for heading, column in zip(headings, columns, strict=True):
        if column in seen and column != Column():
            raise Refused(
                "file", f"two columns are {column.name or column.field!r}: {heading!r} too"
            )
        seen.add(column)
    if not {column.name for column in columns} & set(KEYS):
        told = ", ".join(headings[:20]) or "none"
        raise Refused(
            "file", f"no column is an email, a phone or an external_id; its headings are: {told}"
        )
    return columns


def _column(number: int, heading: str, mapping: Mapping[str, str]) -> Column:
    if heading in mapping:
        wanted = mapping[heading].strip()
        if not wanted:
            return Column()
    elif not heading:
        raise Refused("file", f"column {number} has no heading")
    else:
        wanted = _NAME_OF.get(re.sub(r"[\W_]", "", heading.lower()), heading)
    if wanted in NAMES:
        return Column(name=wanted)
    name = re.sub(r"[\W_]+", "_", wanted.lower()).strip("_")
    try:
        return Column(field=field_name(name))
    except Refused:
        raise Refused(
            "file",
            f"column {number}, {heading[:60]!r}: say by the mapping what it is, or that it is "
            "left out; names of fields have letters a-z, digits and _",
        ) from None
