"""Contacts come in from CSV files: good rows in, the others reported by row."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from models import Contact, ContactImport
from pipeline.outreach.csv_files import decoded
from pipeline.outreach.importing import import_csv
from pipeline.refusals import Refused
from pipeline.stores import Row, collection

pytestmark = pytest.mark.usefixtures("stores")

FILE = """\
E-Mail,Phone,First name,Time zone,Seats in use
ada@shop.example,+49 30 901820,Ada,Europe/Berlin,12
BOB@shop.example,,Bob,,
,,,,

not an address,,Eve,,
carol@shop.example,0301234567,,,
dan@shop.example,,,Europe/Berlyn,
ada@SHOP.example,,Ada again,,
"eve@shop.example",,"Eve
of two lines",,"a ""quoted"" text"
fay@shop.example,,Fay,,1,2
"gus@shop.example"x,,,,
,,Nobody,,
hal@shop.example,+49 30 90182-0,Hal,,
"""


def imported(text: str | bytes, **more: Any) -> Row:
    data = text if isinstance(text, bytes) else text.encode()
    lines = decoded(io.BytesIO(data))
    return import_csv("acme", lines, file_name="people.csv", by="eve", **more)


def contacts() -> dict[str, Row]:
    return {row["email"]: row for row in collection(Contact).find({"tenant_id": "acme"})}


def counts(report: Row) -> tuple[int, ...]:
    return tuple(report[n] for n in ("rows", "created", "updated", "unchanged", "rejected"))


def test_good_rows_come_in_and_the_others_are_reported_by_row() -> None:
    report = imported(FILE)
    assert report["status"] == "done"
    assert counts(report) == (11, 3, 0, 0, 8)
    problems = {one["row"]: (one["field"], one["problem"]) for one in report["problems"]}
    assert sorted(problems) == [6, 7, 8, 9, 11, 12, 13, 14]
    assert problems[6] == ("email", "this is not an e-mail address")
    assert problems[7][0] == "phone"
    assert "begins with +" in problems[7][1]
    assert problems[8] == ("time_zone", "there is no such time zone; did you mean 'Europe/Berlin'?")
    assert problems[9] == ("email", "row 2 has the same email")
    assert "6 values" in problems[11][1]
    assert "quotation marks do not match" in problems[12][1]
    assert problems[14] == ("phone", "row 2 has the same phone")
    assert "shop.example" not in str(report["problems"])
    kept = contacts()
    assert sorted(kept) == ["ada@shop.example", "bob@shop.example", "eve@shop.example"]
    ada, eve = kept["ada@shop.example"], kept["eve@shop.example"]
    assert (ada["phone"], ada["time_zone"], ada["fields"]) == (
        "+4930901820",
        "Europe/Berlin",
        {"seats_in_use": "12"},
    )
    assert eve["first_name"] == "Eve\nof two lines"
    assert eve["fields"] == {"seats_in_use": 'a "quoted" text'}
    [stored] = collection(ContactImport).find()
    assert stored["problems"] == report["problems"]
    assert (stored["status"], stored["by"]) == ("done", "eve")


def test_an_import_that_is_run_again_changes_nothing_and_only_what_is_given_replaces() -> None:
    imported(FILE)
    again = imported(FILE)
    assert counts(again) == (11, 0, 0, 3, 8)
    assert {row["import_id"] for row in contacts().values()} == {again["_id"]}
    text = "\ufeffemail;first_name;company\r\nADA@shop.example;;Acme\r\nbob@shop.example;Bobby;\r\n"
    report = imported(text)
    assert counts(report) == (2, 0, 2, 0, 0)
    kept = contacts()
    assert (kept["ada@shop.example"]["first_name"], kept["ada@shop.example"]["company"]) == (
        "Ada",
        "Acme",
    )
    assert kept["bob@shop.example"]["first_name"] == "Bobby"


def test_contacts_are_known_by_their_external_id_first() -> None:
    imported("external_id\temail\tphone\nA1\tada@shop.example\t\nB1\tbob@shop.example\t\n")
    report = imported(
        "external_id\temail\tphone\n"
        "A1\tcountess@shop.example\t\n"
        "B1\tcountess@shop.example\t\n"
        "C1\t\t\n"
        "\tbob@shop.example\t+4930901820\n"
    )
    assert counts(report) == (4, 0, 2, 0, 2)
    reasons = {one["row"]: one["problem"] for one in report["problems"]}
    assert reasons[3] == "row 2 has the same email"
    assert "a new one needs an email or a phone" in reasons[4]
    assert contacts()["bob@shop.example"]["external_id"] == "B1"
    clash = imported("external_id,email\nA1,bob@shop.example\n")
    assert clash["problems"][0]["problem"] == (
        "another contact has this email than has the external_id of this row"
    )


def test_a_mapping_says_what_columns_are() -> None:
    text = "Adresse,Größe,Notiz\nada@shop.example,4,x\n"
    with pytest.raises(Refused, match="column 2, 'Größe'"):
        imported(text, mapping={"Adresse": "email"})
    with pytest.raises(Refused, match="no column 'Address'"):
        imported(text, mapping={"Address": "email"})
    report = imported(text, mapping={"Adresse": "email", "Größe": "size", "Notiz": ""})
    assert counts(report) == (1, 1, 0, 0, 0)
    assert contacts()["ada@shop.example"]["fields"] == {"size": "4"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no column is an email"),
        (b"name,city\nAda,London\n", "its headings are: name, city"),
        (b"email,email address\n", "two columns are 'email'"),
        (b"PK\x03\x04...", "save it as"),
        ("email\nada@shop.example\n".encode("utf-16"), "not in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_and_leaves_no_report(data: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        imported(data)
    assert collection(ContactImport).count_documents({}) == 0


def test_a_file_that_ends_in_another_encoding_fails_from_there_on() -> None:
    good = "".join(f"n{n}@shop.example,\n" for n in range(1500))
    report = imported(
        f"email,first_name\n{good}".encode() + "x@shop.example,Müller\n".encode("cp1252")
    )
    assert report["status"] == "failed"
    assert "after 1,000 rows: file: the file is not in UTF-8" in report["reason"]
    assert counts(report)[:2] == (1000, 1000)


def test_a_killed_import_is_failed_and_can_be_run_again() -> None:
    def dying() -> Iterator[str]:
        yield "email\n"
        for n in range(2500):
            yield f"n{n}@shop.example\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_csv("acme", dying(), file_name="people.csv", by="eve")
    [report] = collection(ContactImport).find()
    assert report["status"] == "failed"
    assert "import the file again" in report["reason"]
    seen: list[int] = []
    text = "email\n" + "".join(f"n{n}@shop.example\n" for n in range(2500))
    again = imported(text, progress=seen.append)
    assert counts(again) == (2500, 500, 0, 2000, 0)
    assert seen == [1000, 2000, 2500]
