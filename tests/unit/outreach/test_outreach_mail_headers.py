"""What mail answers, and whether a person or a program wrote it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.outreach import mail_headers
from pipeline.outreach.events.twilio import meaning


def gmail(mime: str = "text/plain", labels: tuple[str, ...] = ("INBOX",), **headers: str) -> Any:
    named = [{"name": n.replace("_", "-"), "value": v} for n, v in headers.items()]
    payload = {"mimeType": mime, "headers": named}
    return {"internalDate": "1700000000000", "labelIds": list(labels), "payload": payload}


def test_what_is_answered_comes_first_and_then_the_thread_backwards() -> None:
    thread = "<first@a.b>\r\n <second@a.b> <third@a.b>"
    mail = mail_headers.gmail(
        gmail(In_Reply_To="<second@a.b> (as said)", References=thread, From="Ada <Ada@A.example>")
    )
    assert mail.answers == ("<second@a.b>", "<third@a.b>", "<first@a.b>")
    assert (mail.from_address, mail.is_automatic, mail.is_own) == ("ada@a.example", False, False)
    assert mail.at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("item", "is_automatic"),
    [
        (gmail(Auto_Submitted="auto-replied; owner-email=x"), True),
        (gmail(Auto_Submitted="No"), False),
        (gmail(X_Auto_Response_Suppress="All"), True),
        (gmail(Precedence="Bulk"), True),
        (gmail(Precedence="first-class"), False),
        (gmail("multipart/report"), True),
    ],
)
def test_what_a_program_wrote_is_told_from_what_a_person_did(item: Any, is_automatic: bool) -> None:
    assert mail_headers.gmail(item).is_automatic == is_automatic


def test_mail_of_microsoft_says_the_same_in_its_own_words() -> None:
    item = {
        "receivedDateTime": "2026-03-01T12:00:00Z",
        "from": {"emailAddress": {"address": "Ada@A.example"}},
        "internetMessageHeaders": [{"name": "In-Reply-To", "value": "<m1@a.b>"}],
    }
    mail = mail_headers.microsoft(item)
    assert (mail.answers, mail.from_address) == (("<m1@a.b>",), "ada@a.example")
    assert mail.at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    bare = mail_headers.microsoft({"receivedDateTime": "2026-03-01T12:00:00Z", "from": None})
    assert (bare.answers, bare.from_address) == ((), "")


@pytest.mark.parametrize(
    ("text", "stopped", "type_"),
    [
        (" stop ", False, "unsubscribed"),
        ("Quit.", False, "unsubscribed"),
        *((word, False, "unsubscribed") for word in ("REVOKE", "OptOut", "opt out")),
        ("please stop calling", False, "replied"),
        ("START", False, "resubscribed"),
        ("yes", True, "resubscribed"),
        ("yes", False, "replied"),
        ("", False, "replied"),
    ],
)
def test_only_the_words_themselves_stop_and_start(text: str, stopped: bool, type_: str) -> None:
    assert meaning({"Body": text}, stopped) == type_


@pytest.mark.parametrize(
    ("taken_for", "type_"),
    [("STOP", "unsubscribed"), ("START", "resubscribed"), ("HELP", "replied"), ("", "replied")],
)
def test_what_twilio_has_taken_a_message_for_counts(taken_for: str, type_: str) -> None:
    assert meaning({"Body": "Arrêt", "OptOutType": taken_for}, False) == type_
