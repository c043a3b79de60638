"""Ed25519 signatures, verification only, with nothing but Python's integers (RFC 8032, section 5.1).

A device has no package that could do it. Nothing here is secret, so nothing has to take the same time for all inputs.
The equation is the one without the cofactor, [S]B = R + [k]A (end of section 5.1.7), and R is compared as bytes: a
signature that anybody changed without the key is another signature, and does not hold.
"""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    Point = Tuple[int, int, int, int]

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_ZERO = (0, 1, 1, 0)
_SIGN_BIT = 1 << 255


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of a key over a message.

    Args:
        public: 32 bytes; a point of small order signs everything, and is refused.
        message: of any length.
        signature: 64 bytes, R and S.
    """
    if len(signature) != SIGNATURE_BYTES:
        return False
    point = _decode(public)
    scalar = int.from_bytes(signature[KEY_BYTES:], "little")
    if point is None or scalar >= _ORDER or _has_small_order(point):
        return False
    digest = hashlib.sha512(signature[:KEY_BYTES] + public + message).digest()
    x, y, z, t = point
    found = _sum(scalar, _BASE, int.from_bytes(digest, "little") % _ORDER, (-x % _P, y, z, -t % _P))
    return _encode(found) == signature[:KEY_BYTES]


def is_key(public: bytes) -> bool:
    """Whether 32 bytes are a point of the curve that can be a key: decodable, and not of small order."""
    point = _decode(public)
    return point is not None and not _has_small_order(point)


def _decode(data: bytes) -> Point | None:
    """A point from its 32 bytes (section 5.1.3); None for what is no point, or is written in another way than ours."""
    if len(data) != KEY_BYTES:
        return None
    number = int.from_bytes(data, "little")
    y, is_odd = number % _SIGN_BIT, number >= _SIGN_BIT
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _SQRT_OF_MINUS_1 % _P
    if v * x * x % _P != u or (x == 0 and is_odd):
        return None
    x = _P - x if (x % 2 == 1) != is_odd else x
    return x, y, 1, x * y % _P


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, _P - 2, _P)
    return (y * inverse % _P + x * inverse % _P % 2 * _SIGN_BIT).to_bytes(KEY_BYTES, "little")


def _add(one: Point, other: Point) -> Point:
    """Addition in extended homogeneous coordinates (section 5.1.4); holds for all points."""
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * _D * one[3] * other[3], 2 * one[2] * other[2]
    e, f, g, h = (b - a) % _P, (d - c) % _P, (d + c) % _P, (b + a) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(point: Point) -> Point:
    """A point added to itself (section 5.1.4)."""
    a, b = point[0] * point[0], point[1] * point[1]
    h = a + b
    e, g = (h - (point[0] + point[1]) ** 2) % _P, (a - b) % _P
    f = (2 * point[2] * point[2] + g) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _sum(first: int, one: Point, second: int, other: Point) -> Point:
    """[first]one + [second]other, doubling once for both (Straus)."""
    both, total = _add(one, other), _ZERO
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = _double(total)
        if first >> bit & 1:
            total = _add(total, both if second >> bit & 1 else one)
        elif second >> bit & 1:
            total = _add(total, other)
    return total


def _has_small_order(point: Point) -> bool:
    eightfold = _double(_double(_double(point)))
    return eightfold[0] == 0 and eightfold[1] == eightfold[2]


_BASE = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(KEY_BYTES, "little")) or _ZERO
"""B of section 5.1: y = 4/5, x even."""
