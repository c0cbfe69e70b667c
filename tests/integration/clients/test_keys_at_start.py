"""Keys are checked against what is stored before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from models import Connection, KeyCheck
from pipeline.clients.credentials import load_connection, read_secrets
from pipeline.clients.google_credentials import store_google_connection
from pipeline.clients.keyring import check_keys, new_key
from pipeline.config import settings
from pipeline.errors import Misconfigured, ReauthRequired
from pipeline.stores import collection

pytestmark = pytest.mark.usefixtures("stores")

GRANT = {"client_id": "id", "client_secret": "GOCSPX-s", "refresh_token": "1//r"}


def store(user_id: str) -> None:
    store_google_connection(user_id, GRANT, datetime.now(UTC))


def key_in_use() -> str:
    return settings().encryption_keys.get_secret_value()


def test_good_keys_pass_on_every_start() -> None:
    store("ada")
    check_keys()
    check_keys()
    assert collection(KeyCheck).count_documents({}) == 1


def test_many_processes_may_start_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: check_keys(), range(8)))
    assert collection(KeyCheck).count_documents({}) == 1


def test_a_start_without_keys_stops(setting: Callable[..., None]) -> None:
    setting(ENCRYPTION_KEYS="")
    with pytest.raises(Misconfigured, match="ENCRYPTION_KEYS is empty"):
        check_keys()


def test_a_key_that_connections_still_need_is_missed_by_its_id(
    setting: Callable[..., None],
) -> None:
    old = key_in_use()
    key_id, _, key = old.partition(":")
    store("ada")
    setting(ENCRYPTION_KEYS=new_key())
    with pytest.raises(Misconfigured, match=f"lacks '{key_id}'") as caught:
        check_keys()
    assert key not in str(caught.value)
    with pytest.raises(Misconfigured):
        read_secrets(load_connection("ada", "google"))
    setting(ENCRYPTION_KEYS=f"{new_key()},{old}")
    check_keys()


def test_another_key_under_a_known_id_is_noticed(setting: Callable[..., None]) -> None:
    check_keys()
    key_id = key_in_use().partition(":")[0]
    wrong = new_key().partition(":")[2]
    setting(ENCRYPTION_KEYS=f"{key_id}:{wrong}")
    with pytest.raises(Misconfigured, match=f"the key '{key_id}' is not the one that it was") as e:
        check_keys()
    assert wrong not in str(e.value)


def test_after_a_rotation_old_and_new_connections_are_read(setting: Callable[..., None]) -> None:
    old, new = key_in_use(), new_key()
    store("ada")
    setting(ENCRYPTION_KEYS=f"{new},{old}")
    check_keys()
    store("bob")
    rows = [load_connection(user, "google") for user in ("ada", "bob")]
    assert [row["credentials"]["key_id"] for row in rows] == [
        key.partition(":")[0] for key in (old, new)
    ]
    assert all(read_secrets(row)["refresh_token"] == "1//r" for row in rows)
    store("ada")  # nothing is left under the old key
    setting(ENCRYPTION_KEYS=new)
    check_keys()


def test_one_damaged_credential_breaks_one_connection() -> None:
    store("ada")
    store("bob")
    sealed = load_connection("ada", "google")["credentials"]["ciphertext"]
    collection(Connection).update_one(
        {"user_id": "ada"}, {"$set": {"credentials.ciphertext": sealed[:-1] + b"\x00"}}
    )
    check_keys()
    with pytest.raises(ReauthRequired, match="cannot be read; the user must connect again"):
        read_secrets(load_connection("ada", "google"))
    row = collection(Connection).find_one({"user_id": "ada"})
    assert row
    assert (row["status"], row["status_reason"]) == (
        "broken",
        "the stored credentials cannot be read",
    )
    with pytest.raises(ReauthRequired, match="must be made again: the stored credentials"):
        load_connection("ada", "google")
    assert read_secrets(load_connection("bob", "google"))["client_id"] == "id"
    store("ada")
    assert read_secrets(load_connection("ada", "google"))["client_id"] == "id"


def test_credentials_that_were_copied_to_another_user_do_not_open() -> None:
    store("ada")
    store("bob")
    stolen = load_connection("ada", "google")["credentials"]
    collection(Connection).update_one({"user_id": "bob"}, {"$set": {"credentials": stolen}})
    with pytest.raises(ReauthRequired):
        read_secrets(load_connection("bob", "google"))
