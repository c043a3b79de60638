"""Releases that were tampered with: manifests, envelopes and files that no device may take."""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.sign import seal
from edgekit.bundle.statement import POLICY_TYPE, RELEASE_TYPE, Audience, seal_release
from edgekit.core.digest import canonical_json
from edgekit.selftest.lab import signing
from edgekit.selftest.lab.agent_process import Release, sha256

_ORDER = 2**252 + 27742317777372353535851937790883648493
_SPARSE_BYTES = 3 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A manifest and an envelope that do not belong together, or to this device.

    Attributes:
        what: was done.
        manifest: text.
        envelope: text; None for none.
    """

    what: str
    manifest: str
    envelope: Any


def forgeries(release: Release, other: Release, counter: int) -> Iterator[Forgery]:
    """All that is done to what is signed; none of it may even be parsed.

    Args:
        release: that the device would take with this counter.
        other: another one, which is signed too.
        counter: a good one.
    """
    text, envelope = release.manifest, signing.signed(release, counter)
    for what, one, another in _damages(text):
        yield Forgery(what=f"manifest, {what} {one}", manifest=another, envelope=envelope)
    for what, one, another in _damages(envelope):
        yield Forgery(what=f"envelope, {what} {one}", manifest=text, envelope=another)
    others: dict[str, Any] = {"none": None, "a number": 7, "a list": [envelope], "an object": {"payload": ""}}
    for what, value in others.items():
        yield Forgery(what=f"envelope, {what}", manifest=text, envelope=value)
    yield Forgery(what="another release's envelope", manifest=text, envelope=signing.signed(other, counter))
    yield Forgery(what="another release's manifest", manifest=other.manifest, envelope=envelope)
    for what, wrong in _strangers(release, counter, envelope):
        yield Forgery(what=what, manifest=text, envelope=wrong)
    for what, wrong in _statements(release, counter):
        yield Forgery(what=f"statement, {what}", manifest=text, envelope=wrong)
    for what, wrong in _groups(release, counter):
        yield Forgery(what=f"group, {what}", manifest=text, envelope=wrong)
    for_all = signing.signed(release, counter, audience=signing.GROUP_AUDIENCE)
    yield Forgery(what="group, another release's manifest", manifest=other.manifest, envelope=for_all)


def _damages(text: str) -> Iterator[tuple[str, int, str]]:
    """Each byte changed in one bit, cut at fifty places, and something behind the end."""
    for place, char in enumerate(text):
        yield "one bit of byte", place, text[:place] + chr(ord(char) ^ 1) + text[place + 1 :]
    for place in range(0, len(text), max(1, len(text) // 50)):
        yield "cut at byte", place, text[:place]
    for place, tail in enumerate((" ", "\n", "\0", "x", "{}", text)):
        yield "tail", place, text + tail


def _strangers(release: Release, counter: int, envelope: str) -> Iterator[tuple[str, str]]:
    """Signatures that are those of others, of nobody, or of the right key in another spelling."""
    yield "an unknown key", signing.signed(release, counter, key=signing.OTHER_KEY)
    content = json.loads(envelope)
    good = content["signatures"][0]
    stranger = json.loads(signing.signed(release, counter, key=signing.OTHER_KEY))["signatures"][0]
    raw = base64.b64decode(good["sig"])
    scalar = int.from_bytes(raw[32:], "little")
    plus_order = raw[:32] + (scalar + _ORDER).to_bytes(32, "little")
    for what, signatures in {
        "no signature": [],
        "the key's name on another's signature": [dict(stranger, keyid=good["keyid"])],
        "another's name on the key's signature": [dict(good, keyid=stranger["keyid"])],
        "a stranger beside the key": [good, stranger],
        "the same signature twice": [good, good],
        "a signature of zeros": [dict(good, sig=_text(bytes(64)))],
        "S plus the order": [dict(good, sig=_text(plus_order))],
        "63 bytes": [dict(good, sig=_text(raw[:-1]))],
        "65 bytes": [dict(good, sig=_text(raw + b"\0"))],
        "the key's name in capitals": [dict(good, keyid=good["keyid"].upper())],
        "one more field": [dict(good, cert="x")],
    }.items():
        yield what, canonical_json(dict(content, signatures=signatures)).decode()
    yield "another order of keys", json.dumps(dict(reversed(content.items())), separators=(",", ":"))
    yield "with spaces", json.dumps(content, sort_keys=True)
    yield "a key named twice", envelope.replace('{"payload":', '{"payload":"e30=","payload":', 1)
    payload = base64.b64decode(content["payload"])
    yield "the type of a policy", seal(POLICY_TYPE, payload, [signing.KEY])
    renamed = canonical_json(dict(content, payloadType=POLICY_TYPE)).decode()
    yield "the type changed behind the signature", renamed
    for kind, name in (("device", "other"), ("group", "other"), ("group", signing.DEVICE), ("device", signing.GROUP)):
        audience = Audience(kind=kind, name=name)
        yield f"for the {kind} {name}", signing.signed(release, counter, audience=audience)
    for name in ("", "LAB", "lab ", "l\u0430b", "*", "lab\0"):
        yield (
            f"for the device {name!r}",
            seal_release(release.manifest, Audience(kind="device", name=name), counter, signing.KEY),
        )


def _statements(release: Release, counter: int) -> Iterator[tuple[str, str]]:
    """Statements that the right key has signed, and that still say nothing that could be taken."""
    data = release.manifest.encode()
    right: dict[str, Any] = {
        "schema": "edgekit.release/1",
        "manifest": {"sha256": sha256(data), "size": len(data)},
        "audience": {"device": signing.DEVICE},
        "counter": counter,
    }
    changes: dict[str, dict[str, Any]] = {
        "digest in capitals": {"manifest": {"sha256": sha256(data).upper(), "size": len(data)}},
        "a byte more": {"manifest": {"sha256": sha256(data), "size": len(data) + 1}},
        "a byte less": {"manifest": {"sha256": sha256(data), "size": len(data) - 1}},
        "no size": {"manifest": {"sha256": sha256(data)}},
        "size as text": {"manifest": {"sha256": sha256(data), "size": str(len(data))}},
        "the manifest is a text": {"manifest": sha256(data)},
        "counter as text": {"counter": str(counter)},
        "counter true": {"counter": True},
        "counter with a fraction": {"counter": counter + 0.5},
        "counter below zero": {"counter": -1},
        "counter of 64 bits": {"counter": 2**63},
        "no counter": {"counter": None},
        "no audience": {"audience": None},
        "nobody": {"audience": {}},
        "everybody": {"audience": {"device": signing.DEVICE, "group": signing.GROUP}},
        "a list of devices": {"audience": [signing.DEVICE]},
        "another schema": {"schema": "edgekit.release/2"},
        "one more field": {"expires": "never"},
    }
    for what, change in changes.items():
        yield what, seal(RELEASE_TYPE, canonical_json({**right, **change}), [signing.KEY])
    for missing in right:
        rest = {key: value for key, value in right.items() if key != missing}
        yield f"without {missing}", seal(RELEASE_TYPE, canonical_json(rest), [signing.KEY])
    twice = canonical_json(right).replace(b'"counter":', b'"counter":999,"counter":', 1)
    for what, raw in (("a key twice", twice), ("no JSON", b"counter"), ("nothing", b""), ("deep", b"[" * 20_000)):
        yield what, seal(RELEASE_TYPE, raw, [signing.KEY])


def _groups(release: Release, counter: int) -> Iterator[tuple[str, str]]:
    """What is signed once for a whole group: changed behind the signature, for other groups, and by others."""
    envelope = signing.signed(release, counter, audience=signing.GROUP_AUDIENCE)
    for what, place, damaged in _damages(envelope):
        yield f"{what} {place}", damaged
    content, name = json.loads(envelope), signing.GROUP.encode()
    payload = base64.b64decode(content["payload"])
    begin = payload.index(b'"' + name + b'"') + 1
    for place in range(begin, begin + len(name)):
        forged = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
        yield f"one bit of its name's byte {place - begin}", _with_payload(content, forged)
    for what, old, new in (
        ("its name changed", name, b"other"),
        ("its name cut", name, name[:-1]),
        ("its name longer", name, name + b"s"),
        ("no name", name, b""),
        ("made one for the device", b'{"group":"' + name, b'{"device":"' + signing.DEVICE.encode()),
        ("a higher counter", b'"counter":%d' % counter, b'"counter":%d' % (counter + 1)),
    ):
        yield f"{what} behind the signature", _with_payload(content, payload.replace(old, new, 1))
    alone = json.loads(signing.signed(release, counter))
    yield "the signature of the device's envelope", _sealed(content, alone["signatures"])
    yield "its signature on the device's envelope", _sealed(alone, content["signatures"])
    yield "by an unknown key", signing.signed(release, counter, key=signing.OTHER_KEY, audience=signing.GROUP_AUDIENCE)
    for wrong in ("other", "", "BENCH", "bench ", " bench", "bench\0", "b\u0435nch", "*", "ben", "bench,other"):
        audience = Audience(kind="group", name=wrong)
        yield f"for the group {wrong!r}", signing.signed(release, counter, audience=audience)
    for what, said in _audiences().items():
        yield f"the audience is {what}", seal(RELEASE_TYPE, payload.replace(b'{"group":"bench"}', said), [signing.KEY])


def _audiences() -> dict[str, bytes]:
    """Other ways to name the device's group, all of them signed by the right key."""
    return {
        "a list of groups": b'{"group":["bench","other"]}',
        "the group's name alone": b'"bench"',
        "all groups": b'{"group":null}',
        "in capitals": b'{"GROUP":"bench"}',
        "in the plural": b'{"groups":["bench"]}',
        "its group and another": b'{"group":"bench","groups":["other"]}',
        "two groups under one key": b'{"group":"other","group":"bench"}',
        "its group twice": b'{"group":"bench","group":"bench"}',
        "its group and another device": b'{"device":"other","group":"bench"}',
    }


def _with_payload(content: dict[str, Any], payload: bytes) -> str:
    """The envelope with another payload under the signatures that it has."""
    return canonical_json(dict(content, payload=_text(payload))).decode()


def _sealed(content: dict[str, Any], signatures: list[dict[str, str]]) -> str:
    return canonical_json(dict(content, signatures=signatures)).decode()


def spoilt_files(
    release: Release, other: Release, rng: random.Random, *, flips: int, cuts: int
) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
    """What is done to the files of a release that lies on the disk: what, the digest of the file, and how."""
    for _ in range(flips):
        right = rng.choice(release.files)
        data, bit = bytearray(right), rng.randrange(8 * len(right))
        data[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", sha256(right), _content(bytes(data))
    for _ in range(cuts):
        right = rng.choice(release.files)
        size = rng.randrange(len(right))
        yield f"cut at {size}", sha256(right), _content(right[:size])
    for index, own in enumerate(release.files):
        yield f"a byte behind file {index}", sha256(own), _content(own + b"\0")
        for foreign in (*release.files, *other.files):
            if foreign != own:
                yield f"another file in the place of {index}", sha256(own), _content(foreign)
    name = sha256(release.files[0])
    yield "3 GiB without content", name, lambda path: os.truncate(_emptied(path), _SPARSE_BYTES)
    yield "a link to the right file", name, _as_link
    yield "a folder", name, Path.mkdir
    yield "a fifo", name, os.mkfifo


def _content(data: bytes) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        path.write_bytes(data)

    return put


def _emptied(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def _as_link(path: Path) -> None:
    """What the link leads to has the right bytes; a link could lead elsewhere a moment later."""
    aside = path.with_name("aside")
    if not aside.exists():
        aside.write_bytes(path.with_name(path.name + ".right").read_bytes())
    path.symlink_to(aside)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
