"""The device's own Ed25519: RFC 8032's vectors, another implementation, and signatures that only some would take."""

from __future__ import annotations

import hashlib
import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from device_agents.linux import ed25519

ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19

RFC_8032 = {  # section 7.1: public key, message, signature
    "test 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
            "24655141438e7a100b"
        ),
    ),
    "test 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
            "eeb00d291612bb0c00"
        ),
    ),
    "test 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
            "8dc027beceea1ec40a"
        ),
    ),
}


def key(seed: int) -> tuple[Ed25519PrivateKey, bytes]:
    made = Ed25519PrivateKey.from_private_bytes(random.Random(seed).randbytes(32))
    return made, made.public_key().public_bytes_raw()


@pytest.mark.parametrize("name", RFC_8032)
def test_vectors_of_the_rfc_hold_and_no_changed_byte_does(name: str) -> None:
    public, message, signature = map(bytes.fromhex, RFC_8032[name])

    assert ed25519.verify(public, message, signature)
    assert not ed25519.verify(public, message + b"\0", signature)
    for place in range(0, 64, 7):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not ed25519.verify(public, message, bytes(changed))


@pytest.mark.parametrize("seed", range(20))
def test_signatures_of_another_implementation_hold(seed: int) -> None:
    private, public = key(seed)
    message = random.Random(seed).randbytes(seed * 17)

    assert ed25519.verify(public, message, private.sign(message))
    assert not ed25519.verify(key(seed + 1)[1], message, private.sign(message))


@pytest.mark.parametrize("size", [0, 1, 31, 63, 65, 128])
def test_signature_of_another_length_does_not_hold(size: int) -> None:
    private, public = key(1)

    assert not ed25519.verify(public, b"", (private.sign(b"") * 2)[:size])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_key_of_another_length_is_none(size: int) -> None:
    private, public = key(1)

    assert not ed25519.is_key((public * 2)[:size])
    assert not ed25519.verify((public * 2)[:size], b"", private.sign(b""))


@pytest.mark.parametrize("times", [1, 2, 7])
def test_scalar_above_the_order_does_not_hold(times: int) -> None:
    """The same equation holds for S + L: whoever sees a signature could make a second one."""
    private, public = key(2)
    signature = private.sign(b"x")
    scalar = int.from_bytes(signature[32:], "little") + times * ORDER

    assert not ed25519.verify(public, b"x", signature[:32] + scalar.to_bytes(32, "little"))


def small_order_points() -> list[bytes]:
    """The encodings of all points whose order divides 8, found from one of order 8."""
    found = []
    for number in range(1, 200):
        point = ed25519._decode(number.to_bytes(32, "little"))
        if point is None:
            continue
        torsion = ed25519._sum(ORDER, point, 0, ed25519._ZERO)  # the part of the point that the order does not kill
        steps, walked = [], ed25519._ZERO
        for _ in range(8):
            walked = ed25519._add(walked, torsion)
            steps.append(ed25519._encode(walked))
        if len(set(steps)) == 8:
            found = steps
            break
    return found


def test_key_of_small_order_signs_nothing() -> None:
    """With such a key S = 0 and R = the neutral element are a signature of everything, for every k that fits."""
    points = small_order_points()
    neutral = (1).to_bytes(32, "little")

    assert len(set(points)) == 8
    for point in points:
        assert not ed25519.is_key(point)
        assert not any(ed25519.verify(point, bytes([number]), neutral + bytes(32)) for number in range(16))


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_point_in_another_spelling_is_no_key(y: int) -> None:
    data = y.to_bytes(32, "little")

    assert ed25519._decode(data) is None
    assert not ed25519.is_key(data)


def test_bytes_that_are_no_point_are_no_key() -> None:
    rng = random.Random(0)
    samples = [rng.randbytes(32) for _ in range(64)]
    decodable = [data for data in samples if ed25519._decode(data) is not None]

    assert 16 < len(decodable) < 48  # about half of all y belong to a point
    assert all(ed25519._encode(point) == data for data in decodable if (point := ed25519._decode(data)) is not None)


def test_key_with_a_part_of_small_order_is_judged_without_the_cofactor() -> None:
    """[S]B = R + [k]A holds for A + T only where k kills T; with the cofactor it would hold always."""
    private, public = key(3)
    torsion = ed25519._decode(small_order_points()[0])
    point = ed25519._decode(public)
    assert torsion is not None
    assert point is not None
    mixed = ed25519._encode(ed25519._add(point, torsion))
    expanded = bytearray(hashlib.sha512(private.private_bytes_raw()).digest()[:32])
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    secret = int.from_bytes(expanded, "little")
    seen = set()
    for number in range(24):
        message, nonce = bytes([number]), 1234567 + number
        r = ed25519._encode(ed25519._sum(nonce, ed25519._BASE, 0, ed25519._ZERO))
        k = int.from_bytes(hashlib.sha512(r + mixed + message).digest(), "little") % ORDER
        signature = r + ((nonce + k * secret) % ORDER).to_bytes(32, "little")

        holds = ed25519.verify(mixed, message, signature)

        assert holds == (k % 8 == 0)
        assert holds == openssl_holds(mixed, message, signature)
        seen.add(holds)
    assert False in seen


def openssl_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
