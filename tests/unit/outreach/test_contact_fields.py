"""What a contact may consist of, how files are read, and durations in words; without a store."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.outreach.contact_fields import MOST_FIELDS, normalized
from pipeline.outreach.csv_files import Column, Unreadable, decoded, opened
from pipeline.outreach.reading.words import length_in_words, rule_in_words
from pipeline.outreach.seen_rows import SeenRows
from pipeline.refusals import Refused
from pipeline.wilson import interval


def test_values_come_in_one_form() -> None:
    found = normalized(
        {
            "email": " Ada.King@SHOP.example\n",
            "phone": "+44 (0)20 7946 0958",
            "last_name": "",
            "time_zone": "Asia/Kathmandu",
            "fields": {"seats": 3, "plan": " gold ", "gone": None, "rate": 0.5},
        }
    )
    assert found == {
        "email": "ada.king@shop.example",
        "phone": "+442079460958",
        "last_name": None,
        "time_zone": "Asia/Kathmandu",
        "fields": {"seats": 3, "plan": "gold", "gone": None, "rate": 0.5},
    }


@pytest.mark.parametrize(
    ("values", "field", "why"),
    [
        ({"email": "ada"}, "email", "not an e-mail address"),
        ({"email": "ada@shop..example"}, "email", "not an e-mail address"),
        ({"email": 5}, "email", "expected a text"),
        ({"phone": "030 901820"}, "phone", "begins with +"),
        ({"phone": "+49 123"}, "phone", "nobody can have"),
        ({"phone": "+no number"}, "phone", "not a telephone number"),
        ({"time_zone": "CET+1"}, "time_zone", "no such time zone"),
        ({"time_zone": "localtime"}, "time_zone", "no such time zone"),
        ({"first_name": "A" * 201}, "first_name", "201 characters are too many; 200 fit"),
        ({"first_name": "A\x00"}, "first_name", "control characters"),
        ({"nickname": "Ada"}, "nickname", "there are external_id, email"),
        ({"fields": {"Seats": 1}}, "fields.Seats", "lower-case letters"),
        ({"fields": {"email": "a"}}, "fields.email", "of its own"),
        ({"fields": {"seats": [1]}}, "fields.seats", "a text or a number"),
        ({"fields": {"ok": True}}, "fields.ok", "a text or a number"),
        ({"fields": [1]}, "fields", "a value for each name"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_field(
    values: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(Refused, match=why.replace("+", r"\+")) as caught:
        normalized(values)
    assert caught.value.field == field
    assert "ada@" not in str(caught.value)


_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from('",;\t\n'))


@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=60), st.sampled_from(",;\t"), st.booleans())
def test_whatever_is_written_as_csv_is_read_with_its_row_numbers(
    rows: list[tuple[str, str]], delimiter: str, has_mark: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(("email", "notes"))
    writer.writerows(rows)
    data = (b"\xef\xbb\xbf" if has_mark else b"") + text.getvalue().encode()
    file = opened(decoded(io.BytesIO(data)))
    assert file.columns == [Column(name="email"), Column(field="notes")]
    expected = [(n, list(row)) for n, row in enumerate(rows, 2) if any(v.strip() for v in row)]
    assert list(file.rows) == expected


def test_a_row_that_cannot_be_read_hides_no_other() -> None:
    text = 'email,notes\na@b.example,"open\nb@b.example,2\n' + "c@b.example,3\n" * 2000
    rows = list(opened([*text.splitlines(keepends=True), 'd@b.example,"5']).rows)
    unreadable = {n: cells.problem for n, cells in rows if isinstance(cells, Unreadable)}
    assert sorted(unreadable) == [2, 2004]
    assert all("marks do not match" in problem for problem in unreadable.values())
    assert rows[1] == (3, ["b@b.example", "2"])
    assert len(rows) == 2003


def test_a_file_is_known_by_its_headings_however_they_are_written() -> None:
    names = ("E-Mail Address", "Mobile", "Given name", "Surname", "Organisation", "TZ", "Seats 2")
    columns = opened([",".join(names)]).columns
    assert [column.name or column.field for column in columns] == [
        *("email", "phone", "first_name", "last_name", "company", "time_zone", "seats_2"),
    ]


def test_what_stands_between_values_is_known_by_all_rows_and_soon() -> None:
    semicolons = ['email;name, title;"a,b,c,d"\n', "ada@b.example;Ada, Dr;1\n", "b@b.example;B;2\n"]
    columns = opened(semicolons, {"name, title": "company", "a,b,c,d": ""}).columns
    assert columns == [Column(name="email"), Column(name="company"), Column()]
    started = time.perf_counter()
    with pytest.raises(Refused):
        opened(["e,;\n", ",'" * 40_000])
    assert time.perf_counter() - started < 5
    with pytest.raises(Refused, match="its headings are: none"):
        opened([])


def test_more_fields_than_a_contact_has_are_too_many() -> None:
    from pipeline.outreach.row_values import entry_of

    columns = [Column(name="email"), *(Column(field=f"f{n}") for n in range(MOST_FIELDS + 1))]
    cells = ["ada@shop.example", *["x"] * (MOST_FIELDS + 1)]
    with pytest.raises(Refused, match="50 fields at most"):
        entry_of(2, cells, columns)
    assert len(entry_of(2, cells[:-1], columns).fields) == MOST_FIELDS


def test_what_a_file_has_named_is_known_by_its_first_row() -> None:
    with SeenRows() as seen:
        seen.add({f"email:{n}": n for n in range(1200)})
        seen.add({"email:7": 9999})
        assert seen.rows_of(["email:7", "email:1199", "email:1200"]) == {
            "email:7": 7,
            "email:1199": 1199,
        }


def test_rules_of_a_plan_are_said_in_words() -> None:
    timers = {"no_open_after": "PT36H"}
    assert rule_in_words({"on": "no_open"}, timers) == "no open within 1 d 12 h"
    assert rule_in_words({"on": "no_click"}, timers) == "no click within 1 d"
    assert rule_in_words({"on": "opened", "within": "P2D"}, {}) == "opened within 2 d"
    assert rule_in_words({"on": "clicked", "after": "PT90M"}, {}) == "clicked, 1 h 30 min or later"
    assert rule_in_words({"on": "spam_report"}, {}) == "reported as spam"
    assert length_in_words("P1M") == "31 d"
    assert length_in_words("soon") == "soon"


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_an_interval_is_around_its_rate(first: int, second: int) -> None:
    hits, of = sorted((first, second))
    low, high = interval(hits, of)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= hits / of + 1e-9
        assert high >= hits / of - 1e-9
