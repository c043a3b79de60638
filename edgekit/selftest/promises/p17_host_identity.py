"""P17: a device is who it was, or nothing is sent to it that could log us in.

Injected: servers with a wrong, revoked, copied or certified host key, and known_hosts files of every kind of damage.
Must hold: an identity that is not proven is refused with an error of exit code 3 to 6, and the server has not seen one
packet of a log-in, while every identity that is proven does log in (so the witness can see).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko

from edgekit.core.device_entry import DeviceEntry, Provenance
from edgekit.core.errors import EdgekitError
from edgekit.device.deploy_key import make_deploy_key
from edgekit.device.inventory import Inventory
from edgekit.device.trust import scan_host_key, trust_for
from edgekit.selftest.lab.watchful_server import WatchfulServer, impostor
from edgekit.selftest.promise import Lab, Outcome, Promise
from edgekit.transports import Endpoint, Limits, transport_for

_LIMITS = Limits(connect_s=5, banner_s=5, auth_s=10, channel_s=5, idle_s=5, keepalive_s=5, close_s=0.2)
_SALT = b"twenty bytes of salt"


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One way in which an identity is right or wrong.

    Attributes:
        name: for the report.
        lines: of known_hosts; None for no file at all.
        keys: those that the server shows.
        pins: `host_keys` of the inventory.
        mode: of the file.
        known: whether the device may be believed.
    """

    name: str
    lines: Sequence[str] | None = ()
    keys: Sequence[paramiko.PKey]
    pins: Sequence[str] = ()
    mode: int = 0o600
    known: bool = False


def _text(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _hashed(name: str) -> str:
    digest = hmac.new(_SALT, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(_SALT).decode()}|{base64.b64encode(digest).decode()}"


def _ed25519(folder: Path, name: str) -> paramiko.PKey:
    make_deploy_key(folder / name)
    return paramiko.Ed25519Key.from_private_key_file(str(folder / name))


def _cases(folder: Path, port: int) -> list[_Case]:
    own, other = _ed25519(folder, "own"), _ed25519(folder, "other")
    ecdsa, other_ecdsa = paramiko.ECDSAKey.generate(bits=256), paramiko.ECDSAKey.generate(bits=256)
    copied = impostor(_ed25519(folder, "own"), other)
    name = f"[127.0.0.1]:{port}"
    right, wrong, one = f"{name} {_text(own)}", f"{name} {_text(other)}", [own]
    flipped = _text(own)[:-6] + ("A" if _text(own)[-6] != "A" else "B") + _text(own)[-5:]
    mislabelled = _text(own).replace("ssh-ed25519", "ecdsa-sha2-nistp256", 1)

    def case(name: str, *lines: str, keys: Sequence[paramiko.PKey] = one, known: bool = False) -> _Case:
        return _Case(name=name, lines=lines, keys=keys, known=known)

    return [
        case("the right key", right, known=True),
        case("an empty file"),
        _Case(name="no file", lines=None, keys=one),
        case("another key", wrong),
        case("another key of another type", f"{name} {_text(other_ecdsa)}"),
        case("its own key of a type that it does not show", f"{name} {_text(ecdsa)}"),
        case("a downgrade to another type", right, keys=[ecdsa]),
        case("a copy of its public key", right, keys=[copied]),
        case("one of two keys", wrong, right, known=True),
        case("two keys, both others", wrong, f"{name} {_text(other_ecdsa)}"),
        case("one of two types that it shows", f"{name} {_text(ecdsa)}", keys=[own, ecdsa], known=True),
        case("revoked and listed", right, f"@revoked {name} {_text(own)}"),
        case("revoked by a wildcard", right, f"@revoked * {_text(own)}"),
        case("another key revoked", right, f"@revoked {name} {_text(other)}", known=True),
        case("a revocation that cannot be read", right, f"@revoked {name} ssh-ed25519 AAAA"),
        case("a certificate authority", f"@cert-authority {name} {_text(own)}"),
        case("a certificate authority for all", f"@cert-authority * {_text(own)}"),
        case("an unknown marker", right, f"@trusted {name} {_text(own)}"),
        case("another port", f"[127.0.0.1]:{port % 65535 + 1} {_text(own)}"),
        case("no port", f"127.0.0.1 {_text(own)}"),
        case("another address", f"[127.0.0.2]:{port} {_text(own)}"),
        case("its name, asked by address", f"[localhost]:{port} {_text(own)}"),
        case("a hashed name", f"{_hashed(name)} {_text(own)}", known=True),
        case("another hashed name", f"{_hashed('[127.0.0.2]:22')} {_text(own)}"),
        case("a hash without its salt", f"|1||{_hashed(name).rpartition('|')[2]} {_text(own)}"),
        case("a hash of another kind", f"{_hashed(name).replace('|1|', '|2|', 1)} {_text(own)}"),
        case("a pattern", f"[127.0.0.?]:* {_text(own)}", known=True),
        case("a pattern that is negated", f"*,!{name} {_text(own)}"),
        case("garbage before it", "garbage", "\x00\xff ssh-ed25519", "# no", right, known=True),
        case("nothing but garbage", "garbage", "ssh-ed25519 AAAA", f"{name} ssh-ed25519 !!!!"),
        case("a comment", f"# {right}"),
        case("a key with a bit flipped", f"{name} {flipped}"),
        case("a key under the name of another type", f"{name} {mislabelled}"),
        case("a byte-order mark", f"\ufeff{right}"),
        case("lines of Windows", f"{right}\r", known=True),
        _Case(name="a file that all may write", lines=[right], keys=one, mode=0o666),
        _Case(name="a file that the group may write", lines=[right], keys=one, mode=0o620),
        _Case(name="the right pin", lines=[], keys=one, pins=[_text(own)], known=True),
        _Case(name="another pin", lines=[right], keys=one, pins=[_text(other)]),
        _Case(name="the right pin, revoked", lines=[f"@revoked {name} {_text(own)}"], keys=one, pins=[_text(own)]),
        _Case(name="a pin that is no key", lines=[right], keys=one, pins=["ssh-ed25519 AAAA"]),
        _Case(name="a pin of a mislabelled key", lines=[right], keys=one, pins=[mislabelled]),
    ]


@contextmanager
def _known_hosts(path: Path) -> Iterator[None]:
    before = os.environ.get("EDGEKIT_KNOWN_HOSTS")
    os.environ["EDGEKIT_KNOWN_HOSTS"] = str(path)
    try:
        yield
    finally:
        os.environ.pop("EDGEKIT_KNOWN_HOSTS")
        if before is not None:
            os.environ["EDGEKIT_KNOWN_HOSTS"] = before


def _open(entry: DeviceEntry) -> None:
    with transport_for(Endpoint.parse(entry.url), trust=trust_for(entry), limits=_LIMITS) as transport:
        if entry.url.startswith("openssh:"):
            with suppress(EOFError):
                transport.start("0")  # its ssh connects no earlier


def _try(folder: Path, schemes: Sequence[str], case: _Case, server: WatchfulServer) -> Iterator[str]:
    """What is wrong with the way in which edgekit met this server."""
    known_hosts = folder / "known_hosts"
    known_hosts.unlink(missing_ok=True)
    if case.lines is not None:
        known_hosts.write_bytes("".join(f"{line}\n" for line in case.lines).encode("utf-8", "surrogateescape"))
        known_hosts.chmod(case.mode)
    for scheme in schemes:
        entry = DeviceEntry(
            name="lab",
            url=f"{scheme}://pi@127.0.0.1:{server.port}",
            host_keys=tuple(case.pins),
            identity_file=folder / "identity",
        )
        before = server.log_in_packets
        outcome = _outcome(entry)
        server.gone()
        packets = server.log_in_packets - before
        if case.known and (outcome != "" or not packets):
            yield f"{scheme}, {case.name}: refused, {outcome or 'without a log-in'}"
        elif not case.known and outcome == "":
            yield f"{scheme}, {case.name}: believed"
        elif not case.known and packets:
            yield f"{scheme}, {case.name}: {packets} packets of a log-in were sent"


def _outcome(entry: DeviceEntry) -> str:
    """How an attempt ends: empty for a log-in, else the error's name."""
    try:
        _open(entry)
    except EdgekitError as error:
        return type(error).__name__ if 3 <= error.exit_code <= 6 else f"exit code {error.exit_code}: {error}"
    return ""


def _enrolments(folder: Path, server: WatchfulServer, own: paramiko.PKey) -> Iterator[tuple[str, bool]]:
    """The ways to come to know a device: each with whether it went as it must."""
    inventory = Inventory(path=folder / "devices.toml")
    entry = DeviceEntry(name="lab", url=f"ssh://pi@127.0.0.1:{server.port}")
    inventory.add(entry)
    before = server.log_in_packets
    shown = scan_host_key(entry, limits=_LIMITS)
    server.gone()
    yield "to look at a key logs nobody in", server.log_in_packets == before and str(shown) == _text(own)

    def trusts(fingerprint: str | None) -> DeviceEntry | None:
        try:
            return inventory.trust("lab", shown, fingerprint=fingerprint)
        except EdgekitError:
            return None

    yield "a wrong fingerprint pins nothing", trusts("SHA256:" + "A" * 43) is None and not _listed(inventory).host_keys
    first = trusts(None)
    yield "trust on first use is recorded as that", first is not None and first.trust is Provenance.TOFU
    compared = trusts(shown.fingerprint)
    yield "a compared fingerprint is recorded as that", compared is not None and compared.trust is Provenance.PINNED
    inventory.change(replace(_listed(inventory), host_keys=(_text(_ed25519(folder, "other")),)))
    yield "a changed key is not trusted unseen", trusts(None) is None


def _listed(inventory: Inventory) -> DeviceEntry:
    return inventory.listed("lab")


def _run(lab: Lab) -> Outcome:
    folder = lab.folder
    make_deploy_key(folder / "identity")
    schemes = ["ssh", *(["openssh"] if shutil.which("ssh") else [])]
    failures: list[str] = []
    tried = 0
    with _known_hosts(folder / "known_hosts"), WatchfulServer() as server:
        for case in _cases(folder, server.port):
            server.keys = case.keys
            failures += _try(folder, schemes, case, server)
            tried += len(schemes)
        server.keys = [own := _ed25519(folder, "own")]
        for what, holds in _enrolments(folder, server, own):
            tried += 1
            failures += [] if holds else [f"not so: {what}"]
    missing = () if len(schemes) == 2 else ("openssh://: there is no ssh program here",)
    return Outcome(cases=tried, failures=tuple(failures), not_tried=missing)


PROMISE = Promise(
    id="P17",
    title="Nothing that could log us in is sent to a device whose host key is not proven",
    sample=47,
    full=47,
    run=_run,
)
