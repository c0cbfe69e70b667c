"""Mailboxes open and close, whatever is repeated, and keep apart the accounts of one user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from models import Mailbox, Notification, SyncState, User
from pipeline.errors import Gone
from pipeline.mailbox import mailboxes, notifying
from pipeline.stores import collection

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ada(stores: None) -> None:
    collection(User).insert_one({"_id": "ada", "tenant_id": "acme", "created_at": NOW})


def open_mailbox(account: str, email: str, now: datetime = NOW) -> str:
    return mailboxes.opened(
        "ada",
        email=email,
        display_name="Ada",
        home_account_id=f"{account}.tid",
        directory_id="tid",
        time_zone="Europe/Berlin",
        now=now,
    )


def test_opening_twice_is_opening_once_and_introduces_the_user() -> None:
    first = open_mailbox("a1", "Ada@Example.com")
    again = open_mailbox("a1", "ada@example.com", NOW + timedelta(hours=1))
    assert first == again
    assert "ada" not in first
    mailbox = mailboxes.find(first)
    assert mailbox["email"] == "ada@example.com"
    assert mailbox["watched_from"] == NOW
    assert mailbox["tenant_id"] == "acme"
    assert mailbox["analysis_due_at"] == NOW
    user = collection(User).find_one({"_id": "ada"})
    assert user is not None
    assert (user["email"], user["microsoft_id"]) == ("ada@example.com", "a1")
    assert "role" not in user


def test_another_account_closes_the_former_one_even_with_the_same_address() -> None:
    first = open_mailbox("a1", "ada@example.com")
    second = open_mailbox("a2", "ada@example.com")
    assert second != first
    assert mailboxes.find(first)["is_connected"] is False
    assert "analysis_due_at" not in mailboxes.find(first)
    current = mailboxes.of_user("ada")
    assert current is not None
    assert current["_id"] == second
    assert open_mailbox("a1", "ada@old.example") == first
    assert mailboxes.find(second)["is_connected"] is False


def test_an_address_that_another_user_has_stays_theirs() -> None:
    collection(User).insert_one({"_id": "bob", "email": "ada@example.com", "created_at": NOW})
    open_mailbox("a1", "ada@example.com")
    ada = collection(User).find_one({"_id": "ada"})
    assert ada is not None
    assert "email" not in ada
    assert ada["microsoft_id"] == "a1"


def test_a_loss_is_told_once_and_again_after_the_next_opening() -> None:
    mailbox_id = open_mailbox("a1", "ada@example.com")
    mailboxes.lost("ada", "consent was withdrawn")
    mailboxes.lost("ada", "consent was withdrawn")
    assert mailboxes.find(mailbox_id)["is_connected"] is False
    [told] = notifying.listed("ada")
    assert (told["type"], told["priority"]) == ("token_expiring", "high")
    assert notifying.unread_count("ada") == 1
    assert notifying.mark_read("ada", [str(told["_id"]), "nonsense"]) == 1

    open_mailbox("a1", "ada@example.com", NOW + timedelta(days=1))
    reopened = mailboxes.find(mailbox_id)
    assert "disconnected_reason" not in reopened
    assert reopened["watched_from"] == NOW + timedelta(days=1)
    mailboxes.lost("ada", "consent was withdrawn")
    assert collection(Notification).count_documents({"user_id": "ada"}) == 2


def test_what_landed_while_it_was_closed_is_due_once_it_is_open() -> None:
    state = {"user_id": "ada", "source": "microsoft_mail", "seq": 3, "projections": {}}
    collection(SyncState).insert_one(dict(state))
    open_mailbox("a1", "ada@example.com")
    row = collection(SyncState).find_one({"user_id": "ada"})
    assert row is not None
    assert row["projections"]["mailbox"]["due_at"]


def test_a_mailbox_that_there_is_not_is_gone() -> None:
    with pytest.raises(Gone):
        mailboxes.find("nothing")
    assert collection(Mailbox).count_documents({}) == 0
