"""The form and the hash of API keys."""

from __future__ import annotations

import math

import pytest

from gateway.controlplane import keys

SECRET = "S" * 33


def test_generated_key_has_the_documented_form_and_enough_entropy() -> None:
    key = keys.generate()
    prefix, key_id, secret = key.text.decode().split("_")
    assert prefix == "tg"
    assert key_id == key.key_id
    assert len(secret) == keys.SECRET_LENGTH
    assert len(secret) * math.log2(len(keys.SECRET_ALPHABET)) >= 192
    assert keys.parse(key.text) == key


def test_generated_keys_differ() -> None:
    made = [keys.generate() for _ in range(200)]
    assert len({key.key_id for key in made}) == len({key.text for key in made}) == 200


def test_the_shortest_accepted_secret_has_192_bits() -> None:
    assert math.log2(len(keys.SECRET_ALPHABET)) * 33 >= 192
    assert keys.parse(f"tg_abcd_{SECRET}".encode()) is not None
    assert keys.parse(f"tg_abcd_{SECRET[1:]}".encode()) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"tg",
        b"tg__",
        f"tg_abc_{SECRET}".encode(),
        f"TG_abcd_{SECRET}".encode(),
        f"tg_ABCD_{SECRET}".encode(),
        f"tg_abcd_{SECRET}\n".encode(),
        f" tg_abcd_{SECRET}".encode(),
        f"tg_abcd_{SECRET}_x".encode(),
        f"tg_abcd_{SECRET}\0".encode(),
        f"tg_abcd_{SECRET}é".encode(),
        f"tg_{'a' * 33}_{SECRET}".encode(),
        b"tg_abcd_" + b"S" * 129,
        b"tg_abcd_" + b"S" * 1_000_000,
        b"tg_abcd_' OR 1=1 --" + b"S" * 40,
        b"\xff\xfe" * 40,
    ],
)
def test_anything_else_is_no_key(text: bytes) -> None:
    assert keys.parse(text) is None


def test_hash_depends_on_pepper_and_key() -> None:
    hashes = {keys.key_hash(pepper, text) for pepper in (b"p", b"q") for text in (b"a", b"b")}
    assert len(hashes) == 4
    assert {len(hash_) for hash_ in hashes} == {32}


def test_a_key_does_not_show_its_secret_when_printed() -> None:
    key = keys.generate()
    assert key.text.decode().split("_")[2] not in f"{key!r} {key}"
