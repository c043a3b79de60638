"""The client against the real agent, over every transport; the model computes y = scale * x without any library."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from device_agents.linux.runners.litert import PROBE_MODEL
from edgekit.core.artifact import TensorSpec
from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import (
    DeviceError,
    EdgekitError,
    InputError,
    MeasurementError,
    NetworkError,
    ProtocolError,
    UnsupportedError,
    VerificationError,
)
from edgekit.core.events import Event, ignore
from edgekit.core.measurement import Plan
from edgekit.device import provision
from edgekit.device.agent_build import agent_digest
from edgekit.device.client import ArtifactRef, DeviceClient, RunOptions
from edgekit.device.inventory import LOCAL
from edgekit.device.measured import MeasureRequest
from edgekit.device.session import Session
from edgekit.flows.profile import measure
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import workspace
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.transports import Endpoint, HostKey, Limits, Trust, transport_for
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer, make_key

SSH = [
    pytest.param(name, marks=(pytest.mark.ssh, pytest.mark.skipif(SSHD is None, reason="no sshd here")))
    for name in ("ssh", "openssh")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    host, identity = make_key(folder, "host"), make_key(folder, "identity")
    environment = {"EDGEKIT_ROOT": str(folder / "root"), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with OpenSshServer(folder=folder, host_keys=[host], authorized=[identity], environment=environment) as running:
        yield running


@pytest.fixture
def reach(request, tmp_path):
    """Makes clients of one device for each scheme."""

    def make(scheme: str, *, port: int | None = None, limits: Limits | None = None) -> DeviceClient:
        if scheme == "local":
            endpoint, trust = Endpoint(scheme="local", path=str(tmp_path / "root")), Trust()
        else:
            server = request.getfixturevalue("server")
            folder = server.folder
            endpoint = Endpoint(scheme=scheme, user=USER, host="127.0.0.1", port=port or server.port)
            pinned = HostKey.parse((folder / "host.pub").read_text())
            trust = Trust(host_keys=(pinned,), identity_file=folder / "identity")
        return DeviceClient(Session(transport_for(endpoint, trust=trust, limits=limits)))

    return make


@pytest.fixture
def local(reach):
    with reach("local") as client:
        yield client


def fake_model(**behaviour: object) -> bytes:
    return json.dumps({"scale": 2.0, **behaviour}).encode()


def staged(client: DeviceClient, **behaviour: object) -> ArtifactRef:
    model = fake_model(**behaviour)
    client.stage(model)
    return ArtifactRef(release=None, blob=sha256_bytes(model), format="fake", runtime="fake")


def manifest(model: bytes, **changes: object) -> str:
    content = {
        "schema": "edgekit.manifest/1",
        "kind": "model",
        "compatible": {"machine": [], "formats": ["fake"]},
        "runtime": "fake",
        "files": {"model.json": {"sha256": sha256_bytes(model), "size": len(model)}},
        "model": "model.json",
        "format": "fake",
        "golden": None,
        "counter": 0,
        **changes,
    }
    return canonical_json(content).decode()


@pytest.mark.parametrize("scheme", ["local", *SSH])
def test_life_of_a_release_over_each_transport(reach, scheme):
    model = fake_model(scheme=scheme)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    with reach(scheme) as client:
        assert client.hello.agent == agent_digest()
        before = client.status().active
        assert not client.stage(model).already
        assert client.stage(model).already

        activation = client.activate(manifest(model), expect=before)
        outputs = client.infer([x]).outputs

        assert activation.active == sha256_bytes(manifest(model).encode())
        assert client.status().active == activation.active
        np.testing.assert_array_equal(outputs[0].array.reshape(2, 4), 2 * x)
    with reach(scheme) as again:
        assert again.activate(manifest(model)).unchanged


@pytest.mark.parametrize("scheme", ["local", *SSH])
def test_upload_is_bit_exact_and_tells_its_progress(reach, scheme, tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(random.randbytes(3_000_000))
    events: list[Event] = []
    with reach(scheme) as client:
        result = client.stage(path, on_event=events.append)

    assert (result.sent_bytes, result.already) == (3_000_000, False)
    uploads = [event for event in events if event.phase == "upload"]
    assert [event.done for event in uploads] == sorted({event.done for event in uploads})
    assert (uploads[-1].done, uploads[-1].total) == (3_000_000, 3_000_000)


@pytest.mark.ssh
@pytest.mark.skipif(SSHD is None, reason="no sshd here")
@pytest.mark.parametrize(
    ("scheme", "kind"), [("ssh", "reset"), ("ssh", "close"), ("ssh", "stall"), ("openssh", "reset")]
)
def test_cut_upload_is_resumed_where_it_stopped(reach, server, scheme, kind):
    data = random.randbytes(6_000_000)
    limits = Limits(idle_s=3 if kind == "stall" else 15, close_s=0.3)
    with (
        FaultProxy(server.port, Fault(kind=kind, after_up=4_000_000)) as proxy,
        pytest.raises(NetworkError),
        reach(scheme, port=proxy.port, limits=limits) as client,
    ):
        client.stage(data)
    with reach(scheme) as client:
        result = client.stage(data)

    assert proxy.struck.is_set()
    assert not result.already
    assert 2_000_000 <= result.sent_bytes < 6_000_000


def test_file_that_changed_since_it_was_hashed_is_refused(local, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"new content")

    with pytest.raises(VerificationError):
        local.stage(path, sha256=hashlib.sha256(b"old content").hexdigest(), size_bytes=11)


def test_file_that_shrank_is_refused_and_the_session_goes_on(local, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"short")

    with pytest.raises(EdgekitError):
        local.stage(path, sha256="0" * 64, size_bytes=1_000_000)

    assert local.status().active is None


def test_source_that_is_no_file_is_an_input_error(local, tmp_path):
    os.mkfifo(tmp_path / "fifo")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo"):
        with pytest.raises(InputError):
            local.stage(path)


def test_tensor_is_staged_once(local):
    array = np.arange(4, dtype=np.float32).reshape(1, 4)

    first, second = local.stage_tensor(array), local.stage_tensor(array.copy())

    assert first == second
    assert first.as_json() == {"blob": sha256_bytes(array.tobytes()), "shape": [1, 4], "dtype": "float32"}


def test_evaluate_runs_every_sample(local):
    x = np.random.default_rng(7).normal(size=(50, 4)).astype(np.float32)

    result = local.evaluate([x], artifact=staged(local))

    assert result.samples == 50
    np.testing.assert_array_equal(result.outputs[0].array.reshape(50, 4), 2 * x)


def test_measure_gives_raw_times_of_each_process(local):
    result = local.measure(
        [np.ones((2, 4), np.float32)],
        MeasureRequest(processes=2, warmup=3, samples=5, min_seconds=0.0),
        artifact=staged(local),
    )

    assert len(result.runs) == 2
    assert all(len(run.warmup_ns) >= 3 and len(run.samples_ns) >= 5 for run in result.runs)
    assert result.memory.child.exit == "ok"


ENDINGS = pytest.mark.parametrize(
    ("behaviour", "ending"), [("crash", "signal"), ("hang", "timeout"), ("error", "error")]
)


@ENDINGS
def test_model_that_fails_while_it_is_measured_is_a_result(local, behaviour, ending):
    result = local.measure(
        [np.ones((2, 4), np.float32)], MeasureRequest(processes=2, warmup=1, samples=1, min_seconds=0.0),
        artifact=staged(local, run=behaviour), options=RunOptions(timeout_s=1),
    )  # fmt: skip

    (run,) = result.runs
    assert run.child.exit == ending
    assert (run.import_ns, run.load_ns, run.first_ns, run.total_ns) == (None, None, None, 0)
    assert result.memory.child.exit == ending


@ENDINGS
def test_profile_of_a_model_that_fails_is_a_measurement_error_and_not_a_dishonest_device(local, behaviour, ending):
    artifact = staged(local, run=behaviour)
    signature = (TensorSpec(name="x", shape=(1, 4), dtype="float32"),)
    subject = Subject(
        name="bad", digest=str(artifact.blob), format="fake", runtime="fake", inputs=signature, outputs=signature,
        path=None, size_bytes=1,
    )  # fmt: skip
    plan = Plan(runtime="fake", processes=2, warmup=1, samples=1, min_seconds=0.0, timeout_s=1.0)

    with workspace(ignore) as tools, pytest.raises(MeasurementError, match=f"process 1 of 1 ended by {ending}"):
        measure(local, LOCAL, subject, plan=plan, data=None, tools=tools)


@ENDINGS
def test_child_that_fails_is_a_device_error_with_its_facts(local, behaviour, ending):
    with pytest.raises(DeviceError) as caught:
        local.infer(
            [np.ones((1, 4), np.float32)], artifact=staged(local, run=behaviour), options=RunOptions(timeout_s=1)
        )

    assert ending in json.dumps(caught.value.details)
    assert local.status().active is None


def test_litert_doubles_its_input(local):
    local.stage(PROBE_MODEL)
    artifact = ArtifactRef(release=None, blob=sha256_bytes(PROBE_MODEL), format="tflite", runtime="litert")

    outputs = local.infer([np.arange(4, dtype=np.float32).reshape(1, 4)], artifact=artifact).outputs

    assert outputs[0].array.ravel().tolist() == [0, 2, 4, 6]


def test_rollback_and_collect(local):
    models = [fake_model(n=number) for number in range(3)]
    for model in models:
        local.stage(model)
        local.activate(manifest(model))
    digests = [sha256_bytes(manifest(model).encode()) for model in models]

    rolled = local.rollback()
    collected = local.collect(keep=0, data=True)

    assert (rolled.active, rolled.previous) == (digests[1], digests[2])
    assert collected.removed == (digests[0],)
    assert collected.freed_bytes > 0


def test_two_clients_of_one_device_see_each_other(reach):
    with reach("local") as first, reach("local") as second:
        model = fake_model()
        first.stage(model)
        first.activate(manifest(model))

        assert second.status().active == sha256_bytes(manifest(model).encode())


def test_close_leaves_no_thread_behind(reach):
    threads = threading.active_count()

    with reach("local") as client:
        client.status()

    assert threading.active_count() == threads


def lying(script: str) -> DeviceClient:
    return DeviceClient(Session(transport_for(Endpoint.parse("local://")), agent=scripted(script)))


CHILD = "dict(exit='ok', signal=None, message='', max_rss_bytes=1)"


def test_device_that_claims_more_time_than_went_by_is_refused():
    script = f"""
    serve()  # the staging of the input
    say(id=2, result=dict(sha256={hashlib.sha256(bytes(4)).hexdigest()!r}, sent=0, already=True))
    read_line()
    run = dict(import_ns=1, load_ns=1, first_ns=10**12, warmup_ns=[], samples_ns=[1], child={CHILD})
    memory = dict(baseline_rss_bytes=1, peak_rss_bytes=1, file_bytes=1, child={CHILD})
    say(id=3, result=dict(runs=[run], memory=memory, environment=dict(before=dict(), after=dict())))
    read_line()
    """
    with lying(script) as client, pytest.raises(ProtocolError, match=r"claims 1000\.000 s"):
        client.measure([np.zeros((1, 1), np.float32)], MeasureRequest(processes=1, warmup=0, samples=1, min_seconds=0))


def test_device_that_sends_an_output_of_another_size_is_refused():
    script = f"""
    serve()
    say(id=2, result=dict(sha256={hashlib.sha256(bytes(4)).hexdigest()!r}, sent=0, already=True))
    read_line()
    say(id=3, event="payload", name="y", size=3, sha256=hashlib.sha256(b"abc").hexdigest())
    frame(b"abc"); frame(b"")
    say(id=3, result=dict(outputs=[dict(name="y", shape=[1, 1], dtype="float32")], child={CHILD}))
    read_line()
    """
    with lying(script) as client, pytest.raises(ProtocolError, match="came with 3 bytes"):
        client.infer([np.zeros((1, 1), np.float32)])


def test_device_that_stored_something_else_is_refused():
    with (
        lying("serve()\nsay(id=2, result=dict(sha256=DIGEST, sent=1, already=False))\nread_line()") as client,
        pytest.raises(ProtocolError, match="something else"),
    ):
        client.stage(b"x")


def test_runtime_that_works_is_not_needed(local):
    assert not provision.needed(local, "fake")
    assert provision.needed(local, "tflite_runtime")


def test_runtime_bundle_of_equal_wheels_has_an_equal_manifest(tmp_path):
    wheel = tmp_path / "a-1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")

    assert provision.manifest("litert", "aarch64", [wheel]) == provision.manifest("litert", "aarch64", [wheel])
    assert provision.manifest("litert", "aarch64", [wheel])["files"][wheel.name]["size"] == 5


def test_provision_of_a_runtime_without_a_wheel_changes_nothing(local):
    with pytest.raises(UnsupportedError):
        provision.provision(local, "fake")

    assert local.status().releases == ()
