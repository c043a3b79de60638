"""Uploads that travel compressed, from the client to the agent: where they do, where not, and what is counted."""

from __future__ import annotations

import hashlib
import io
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.errors import EdgekitError, NetworkError, StorageError
from edgekit.device.client import DeviceClient
from edgekit.device.session import Session
from edgekit.device.upload import Upload, transfer_bytes
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.transports import Endpoint, HostKey, Limits, Trust, transport_for
from edgekit.transports.local import LocalTransport
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer, make_key

MIB = 1024 * 1024
NOISE = random.Random(1).randbytes(MIB // 2)
needs_sshd = pytest.mark.skipif(SSHD is None, reason="no sshd here")
_seeds = itertools.count()


def sparse(size_bytes: int) -> bytes:
    """New bytes, four in five of them zero, as in a pruned model."""
    made = np.random.default_rng(next(_seeds))
    return (made.integers(0, 16, size_bytes, np.uint8) * (made.random(size_bytes) < 0.2)).tobytes()


class RemoteTransport(LocalTransport):
    """The real agent on this computer, held for a remote one."""

    is_remote = True


def remote(root: Path, *, limits: Limits | None = None) -> DeviceClient:
    endpoint = Endpoint(scheme="local", path=str(root))
    return DeviceClient(Session(RemoteTransport(endpoint, Trust(), limits or Limits())))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    folder = tmp_path_factory.mktemp("device")
    host, identity = make_key(folder, "host"), make_key(folder, "identity")
    environment = {"EDGEKIT_ROOT": str(folder / "root"), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with OpenSshServer(folder=folder, host_keys=[host], authorized=[identity], environment=environment) as running:
        yield running


@pytest.fixture
def over_ssh(server: OpenSshServer) -> Callable[..., DeviceClient]:
    """Makes clients of one device behind a real sshd."""

    def make(scheme: str, *, port: int | None = None) -> DeviceClient:
        endpoint = Endpoint(scheme=scheme, user=USER, host="127.0.0.1", port=port or server.port)
        pinned = HostKey.parse((server.folder / "host.pub").read_text())
        trust = Trust(host_keys=(pinned,), identity_file=server.folder / "identity")
        return DeviceClient(Session(transport_for(endpoint, trust=trust, limits=Limits(close_s=0.3))))

    return make


def test_file_that_gets_smaller_travels_compressed_to_a_remote_device(tmp_path: Path) -> None:
    data = sparse(MIB // 8)

    with remote(tmp_path / "root") as client:
        first, again = client.stage(data), client.stage(data)

    assert (first.sent_bytes, first.transferred_bytes) == (len(data), transfer_bytes(data))
    assert first.transferred_bytes < len(data) / 2
    assert (again.sent_bytes, again.transferred_bytes, again.already) == (0, 0, True)
    assert (tmp_path / "root" / "blobs" / first.sha256).read_bytes() == data


@pytest.mark.parametrize("data", [NOISE, b"", b"tiny"], ids=["noise", "nothing", "four bytes"])
def test_file_that_gets_no_smaller_travels_as_it_is(tmp_path: Path, data: bytes) -> None:
    with remote(tmp_path / "root") as client:
        result = client.stage(data)

    assert result.transferred_bytes == result.sent_bytes == len(data) == transfer_bytes(data)


def test_nothing_is_compressed_within_this_computer(tmp_path: Path) -> None:
    data = sparse(100_000)

    with DeviceClient(Session(transport_for(Endpoint(scheme="local", path=str(tmp_path / "root"))))) as client:
        result = client.stage(data)

    assert result.transferred_bytes == result.sent_bytes == len(data)


def test_big_file_travels_compressed_and_tells_its_progress(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(sparse(3 * MIB))
    events = []

    with remote(tmp_path / "root") as client:
        result = client.stage(path, on_event=events.append)

    assert result.transferred_bytes < 2 * MIB
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert (events[-1].done, events[-1].total) == (3 * MIB, 3 * MIB)


def test_file_that_changed_or_shrank_is_refused_and_the_session_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(sparse(100_000))
    digest = hashlib.sha256(b"what it was").hexdigest()

    with remote(tmp_path / "root") as client:
        with pytest.raises(EdgekitError) as changed:
            client.stage(path, sha256=digest)
        with pytest.raises(EdgekitError) as shrank:
            client.stage(path, sha256=digest, size_bytes=200_000)

        assert client.status().active is None

    assert (changed.value.code, shrank.value.code) == ("E_VERIFY", "E_PROTOCOL")


@pytest.mark.ssh
@needs_sshd
@pytest.mark.parametrize("scheme", ["ssh", "openssh"])
def test_compressed_upload_arrives_over_ssh(over_ssh: Callable[..., DeviceClient], server, scheme: str) -> None:
    data = sparse(2 * MIB)

    with over_ssh(scheme) as client:
        result = client.stage(data)

    assert (result.sent_bytes, result.transferred_bytes) == (len(data), transfer_bytes(data))
    assert (server.folder / "root" / "blobs" / result.sha256).read_bytes() == data


@pytest.mark.ssh
@needs_sshd
@pytest.mark.parametrize(("scheme", "kind"), [("ssh", "reset"), ("openssh", "close")])
def test_cut_compressed_upload_is_resumed_where_it_stopped(
    over_ssh: Callable[..., DeviceClient], server, scheme: str, kind: str
) -> None:
    data = sparse(12 * MIB)
    with (
        FaultProxy(server.port, Fault(kind=kind, after_up=transfer_bytes(data) * 3 // 4)) as proxy,
        pytest.raises(NetworkError),
        over_ssh(scheme, port=proxy.port) as client,
    ):
        client.stage(data)
    with over_ssh(scheme) as client:
        result = client.stage(data)

    assert proxy.struck.is_set()
    assert 0 < result.sent_bytes < len(data)
    assert result.transferred_bytes < transfer_bytes(data)
    assert (server.folder / "root" / "blobs" / result.sha256).read_bytes() == data


INFLATE = """
import zlib
request = serve()
say(id=2, event="ready", offset={offset})
got = read_frames()
plain = zlib.decompress(got, -15)
say(id=2, result={{"travelled": len(got), "size": len(plain), "sha256": hashlib.sha256(plain).hexdigest()}})
"""


def session(script: str) -> Session:
    return Session(transport_for(Endpoint.parse("local://"), limits=Limits(close_s=0.05)), agent=scripted(script))


@pytest.mark.parametrize("offset", [0, 1, 700_000, 2_000_000])
def test_stream_stands_for_the_bytes_from_the_offset_on(offset: int) -> None:
    data = b"sparse weights" * 100_000 + (NOISE * 2)[:600_000]
    offer = Upload(source=io.BytesIO(data), size_bytes=len(data), encoding="deflate")

    with session(INFLATE.format(offset=offset)) as opened:
        reply = opened.request("stage", {}, upload=offer)

    travelled, rest = reply.result["travelled"], data[offset:]
    assert reply.result == {"travelled": travelled, "size": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}
    assert reply.uploaded_bytes == travelled


def test_error_in_the_middle_of_a_compressed_upload_ends_it_early_and_in_step() -> None:
    script = """
    serve()
    say(id=2, event="ready", offset=0)
    read_exactly(struct.unpack(">I", read_exactly(4))[0])
    say(id=2, error={"code": "E_STORAGE", "message": "full", "hint": None, "details": {}})
    rest = read_frames()
    request = read_line()
    say(id=request["id"], result={"rest": len(rest)})
    """
    offer = Upload(source=_Endless(), size_bytes=1024 * MIB, encoding="deflate")

    with session(script) as opened:
        with pytest.raises(StorageError, match="full"):
            opened.request("stage", {}, upload=offer)

        assert opened.request("status", {}).result["rest"] < 16 * MIB


class _Endless:
    def seek(self, offset: int, /) -> int:
        return offset

    def read(self, size: int, /) -> bytes:
        return (NOISE * 2)[:size]
