"""The keyring without a store: entries of ENCRYPTION_KEYS, and what they encrypt."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.keyring import Encrypted, Keyring, Unreadable, new_key
from pipeline.errors import Misconfigured

OLD, NEW = "old:" + "A" * 43 + "=", "new:" + "B" * 42 + "A="


@pytest.fixture
def ring(setting: Callable[..., None]) -> Keyring:
    setting(ENCRYPTION_KEYS=f"{NEW},{OLD}")
    return Keyring.from_settings()


@given(data=st.binary(max_size=300), context=st.text(max_size=30))
def test_what_is_encrypted_comes_back(data: bytes, context: str) -> None:
    ring = Keyring({"a": bytes(32)})
    value = ring.encrypt(data, context)
    assert value["key_id"] == "a"
    assert ring.decrypt(value, context) == data


@given(
    data=st.binary(min_size=1, max_size=50), position=st.integers(0, 200), flip=st.integers(1, 255)
)
def test_a_changed_ciphertext_is_unreadable(data: bytes, position: int, flip: int) -> None:
    ring = Keyring({"a": bytes(32)})
    sealed = bytearray(ring.encrypt(data, "google/ada")["ciphertext"])
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(Unreadable):
        ring.decrypt(Encrypted(key_id="a", ciphertext=bytes(sealed)), "google/ada")


@given(sealed=st.binary(max_size=40))
def test_rubbish_is_unreadable(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        Keyring({"a": bytes(32)}).decrypt(Encrypted(key_id="a", ciphertext=sealed), "google/ada")


def test_a_value_that_was_copied_to_another_user_is_unreadable(ring: Keyring) -> None:
    value = ring.encrypt(b"secret", "google/ada")
    with pytest.raises(Unreadable):
        ring.decrypt(value, "google/bob")


def test_the_same_data_is_never_encrypted_to_the_same_bytes(ring: Keyring) -> None:
    assert ring.encrypt(b"secret", "x")["ciphertext"] != ring.encrypt(b"secret", "x")["ciphertext"]


def test_the_first_key_encrypts_and_every_key_decrypts(
    ring: Keyring, setting: Callable[..., None]
) -> None:
    setting(ENCRYPTION_KEYS=OLD)
    value = Keyring.from_settings().encrypt(b"secret", "google/ada")
    assert ring.encrypt(b"secret", "google/ada")["key_id"] == "new"
    assert ring.decrypt(value, "google/ada") == b"secret"


def test_a_value_under_a_key_that_is_not_there_is_a_matter_for_the_operator(ring: Keyring) -> None:
    with pytest.raises(Misconfigured, match="lacks 'lost'"):
        ring.decrypt(Encrypted(key_id="lost", ciphertext=b"x" * 40), "google/ada")


def test_new_keys_differ_and_are_taken_as_they_are(setting: Callable[..., None]) -> None:
    first, second = new_key(), new_key()
    setting(ENCRYPTION_KEYS=f"{second},{first}")
    ring = Keyring.from_settings()
    assert ring.key_ids == [second.partition(":")[0], first.partition(":")[0]]
    assert len(set(ring.key_ids)) == 2


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("", "is empty; `headrace new-key` makes a key"),
        (" , ", "is empty"),
        ("A" * 43 + "=", "entry 1 is not `id:key`"),
        (f"{NEW},:{'A' * 43}=", "entry 2 is not `id:key`"),
        ("a b:" + "A" * 43 + "=", "entry 1 is not `id:key`"),
        ("short:" + base64.b64encode(bytes(31)).decode(), "the key 'short' is not 32 bytes"),
        ("odd:%%%%", "the key 'odd' is not 32 bytes in base64"),
        (f"{NEW},{NEW}", "key id 'new' is used twice"),
    ],
)
def test_a_wrong_entry_is_named_without_its_key(
    setting: Callable[..., None], keys: str, complaint: str
) -> None:
    setting(ENCRYPTION_KEYS=keys)
    with pytest.raises(Misconfigured, match=complaint) as caught:
        Keyring.from_settings()
    for entry in keys.split(","):
        key = entry.rpartition(":")[2].strip()
        assert not key or key not in str(caught.value)


def test_keys_in_either_alphabet_of_base64_are_taken(setting: Callable[..., None]) -> None:
    key = b"\xfb\xff" * 16
    plain, url = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    assert plain != url
    setting(ENCRYPTION_KEYS=f"a:{plain}")
    value = Keyring.from_settings().encrypt(os.urandom(5), "x")
    setting(ENCRYPTION_KEYS=f"a:{url}")
    assert Keyring.from_settings().decrypt(value, "x")
