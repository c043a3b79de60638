"""Agents and hosts from before uploads were compressed: they are understood, and get and send plain bytes.

`protocol_1/agent.pyz` is an agent as it was pushed then; it never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.device.agent_build import bootstrap_source
from edgekit.device.client import DeviceClient
from edgekit.device.measured import MeasureRequest
from edgekit.device.session import AgentProgram, Session
from edgekit.selftest.lab.agent_process import AgentProcess, fake_release, floats, sha256
from edgekit.transports import Endpoint, Limits, Trust
from edgekit.transports.local import LocalTransport

AGENT = (Path(__file__).parent / "protocol_1" / "agent.pyz").read_bytes()
AGENT_SHA256 = "716541f4f665b5d2e6db6c00b00b45b59b90941bdb9e3651f682a7f0faed2422"
SPARSE = bytes(range(8)) * 20_000


class RemoteTransport(LocalTransport):
    """An agent on this computer, held for a remote one."""

    is_remote = True


@pytest.fixture
def old_device(tmp_path: Path) -> Iterator[DeviceClient]:
    """A client of the recorded agent."""
    program = AgentProgram(bootstrap=bootstrap_source(), archive=AGENT, sha256=AGENT_SHA256)
    transport = RemoteTransport(Endpoint(scheme="local", path=str(tmp_path / "root")), Trust(), Limits())
    with DeviceClient(Session(transport, agent=program)) as client:
        yield client


def test_recorded_agent_is_the_one_that_was_recorded() -> None:
    assert hashlib.sha256(AGENT).hexdigest() == AGENT_SHA256


def test_agent_that_names_no_encoding_is_sent_plain_bytes(old_device: DeviceClient, tmp_path: Path) -> None:
    assert (old_device.hello.agent, old_device.hello.encodings) == (AGENT_SHA256, ())

    result = old_device.stage(SPARSE)

    assert result.transferred_bytes == result.sent_bytes == len(SPARSE)
    assert (tmp_path / "root" / "blobs" / result.sha256).read_bytes() == SPARSE


def test_release_of_today_runs_on_the_recorded_agent(old_device: DeviceClient) -> None:
    release = fake_release()
    for data in release.files:
        old_device.stage(data)

    assert old_device.activate(release.manifest).active == release.digest


def test_release_of_today_is_measured_by_the_recorded_agent(old_device: DeviceClient) -> None:
    release = fake_release()
    for data in release.files:
        old_device.stage(data)
    old_device.activate(release.manifest)

    result = old_device.measure(
        [np.ones((2, 4), np.float32)], MeasureRequest(processes=1, warmup=1, samples=3, min_seconds=0)
    )

    assert len(result.runs[0].samples_ns) == 3
    assert (result.runs[0].switches, result.runs[0].before, result.conditions_before) == (None, None, None)
    assert result.memories == (result.memory,)


def test_measure_of_an_old_host_is_answered_as_of_old(tmp_path: Path) -> None:
    with AgentProcess(tmp_path / "root").boot() as agent:
        agent.deploy(fake_release())
        x = {"blob": agent.stage(floats(1, 2, 3, 4)), "shape": [1, 4], "dtype": "float32"}
        counts = {"processes": 1, "warmup": 2, "samples": 3, "min_seconds": 0.0}
        answer = agent.request("measure", artifact={"release": "active"}, inputs=[x], options={}, **counts)

    (run,) = answer["runs"]
    assert min(run["import_ns"], run["load_ns"]) >= 0 < run["first_ns"]
    assert (len(run["warmup_ns"]), len(run["samples_ns"]), run["batch"]) == (2, 3, 1)
    assert {"baseline_rss_bytes", "peak_rss_bytes", "file_bytes", "child"} <= set(answer["memory"])
    assert set(answer["environment"]) == {"before", "after"}


def test_request_of_an_old_host_is_taken_as_plain(tmp_path: Path) -> None:
    digest = sha256(SPARSE)
    with AgentProcess(tmp_path / "root").boot() as agent:
        agent.write(b'{"id":1,"params":{"sha256":"%s","size":160000},"verb":"stage"}\n' % digest.encode())
        assert agent.read() == {"id": 1, "event": "ready", "offset": 0}
        agent.send_frames(SPARSE)

        assert agent.read() == {"id": 1, "result": {"already": False, "sent": 160_000, "sha256": digest}}


def test_upload_that_an_old_agent_left_half_done_is_resumed_compressed(tmp_path: Path) -> None:
    """The folders of old agents are today's: a part holds plain bytes whatever way they came."""
    part = tmp_path / "root" / "incoming" / f"{sha256(SPARSE)}.part"
    transport = RemoteTransport(Endpoint(scheme="local", path=str(tmp_path / "root")), Trust(), Limits())
    with DeviceClient(Session(transport)) as client:
        client.stage(b"makes the folders")
        part.write_bytes(SPARSE[:100_000])
        part.with_suffix(".sums").write_text(f"100000 {sha256(SPARSE[:100_000])}\n")

        result = client.stage(SPARSE)

    assert result.sent_bytes == 60_000
    assert result.transferred_bytes < 6_000
