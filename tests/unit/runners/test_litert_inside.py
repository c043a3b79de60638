"""What LiteRT tells of a model's inside on this computer: times of operators, intermediate tensors, instructions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from device_agents.linux.runners import RunnerError, _litert_profiler
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.device.client import ArtifactRef, DeviceClient, RunOptions
from edgekit.device.connect import connect
from edgekit.device.inventory import LOCAL
from edgekit.device.measured import MeasureRequest, MeasureResult
from tests.models.dense_chain import dense_chain, hidden

WIDTHS = (16, 16, 1024, 1024, 16)
X = np.random.default_rng(1).normal(size=(3, WIDTHS[0])).astype(np.float32)
INSIDE = MeasureRequest(
    processes=0, warmup=0, samples=1, min_seconds=0.0, memory=0, operators=True, instructions=True
)  # fmt: skip
FAKE = json.dumps({"inputs": [{"name": "x", "shape": [1, 16], "dtype": "float32"}]}).encode()


@pytest.fixture
def device() -> Iterator[DeviceClient]:
    with connect(LOCAL) as client:
        yield client


def staged(device: DeviceClient, model: bytes, kind: str, runtime: str) -> ArtifactRef:
    return ArtifactRef(blob=device.stage(model).sha256, format=kind, runtime=runtime)


@pytest.fixture
def chain(device: DeviceClient) -> ArtifactRef:
    return staged(device, dense_chain(WIDTHS), "tflite", "litert")


def inside(device: DeviceClient, artifact: ArtifactRef, kernels: str) -> MeasureResult:
    return device.measure([X], INSIDE, artifact=artifact, options=RunOptions(kernels=kernels))


def test_operators_of_the_builtin_kernels_are_those_of_the_model(device: DeviceClient, chain: ArtifactRef) -> None:
    found = inside(device, chain, "builtin")

    assert [one.name for one in found.operators] == ["h0", "h1", "h2", "h3"]
    assert {one.op for one in found.operators} == {"FULLY_CONNECTED"}
    assert all(len(one.ns) == 3 for one in found.operators)
    assert min(found.operators[2].ns) > max(found.operators[0].ns)  # 4,096 times the work
    assert found.operators_reason is None


def test_operators_of_the_default_kernels_are_those_of_xnnpack(device: DeviceClient, chain: ArtifactRef) -> None:
    found = inside(device, chain, "default")

    assert [one.name for one in found.operators][:2] == ["xnnpack:0", "xnnpack:1"]
    assert [one.op for one in found.operators if one.op.startswith("Fully Connected (NC, F32)")] != []


def test_instructions_are_counted_by_perf_or_there_is_a_reason(device: DeviceClient, chain: ArtifactRef) -> None:
    found = inside(device, chain, "default")

    if found.instructions is None:
        assert "perf_event_open" in str(found.instructions_reason)
    else:
        assert (found.instructions.source, found.instructions.exact) == ("perf", False)
        assert found.instructions.value > 2**20 / 8  # a fused multiply-add of AVX works on eight values


def test_runtime_without_a_profiler_says_so(device: DeviceClient) -> None:
    found = inside(device, staged(device, FAKE, "fake", "fake"), "default")

    assert found.operators == ()
    assert "'fake' does not time its operators" in str(found.operators_reason)


def test_measure_tells_neither_unless_asked(device: DeviceClient) -> None:
    plain = MeasureRequest(processes=0, warmup=0, samples=1, min_seconds=0.0, memory=0)

    found = device.measure([X], plain, artifact=staged(device, FAKE, "fake", "fake"))

    assert (found.operators, found.operators_reason) == ((), None)
    assert (found.instructions, found.instructions_reason) == (None, None)


@pytest.mark.parametrize(("kernels", "used"), [("default", "builtin"), ("reference", "reference")])
def test_intermediate_tensors_come_behind_the_outputs(
    device: DeviceClient, chain: ArtifactRef, kernels: str, used: str
) -> None:
    options = RunOptions(kernels=kernels, tensors=("h2", "h0"))

    found = device.evaluate([X], artifact=chain, options=options)

    h0, _, h2, h3 = hidden(WIDTHS, X)
    assert [output.name for output in found.outputs] == ["h3", "h2", "h0"]
    assert found.kernels == used
    for output, wanted in zip(found.outputs, (h3, h2, h0), strict=True):
        np.testing.assert_allclose(output.array, wanted, rtol=1e-4, atol=1e-6)


def test_outputs_alone_do_not_say_which_kernels(device: DeviceClient, chain: ArtifactRef) -> None:
    assert device.infer([X], artifact=chain).kernels is None


def test_tensor_that_the_model_does_not_have_is_refused(device: DeviceClient, chain: ArtifactRef) -> None:
    with pytest.raises(InputError, match="no tensor 'h9'; it has x, w0, h0"):
        device.infer([X], artifact=chain, options=RunOptions(tensors=("h9",)))


def test_runtime_that_keeps_no_tensors_is_refused(device: DeviceClient) -> None:
    with pytest.raises(UnsupportedError, match="'fake' keeps no intermediate tensors"):
        device.infer(
            [X], artifact=staged(device, FAKE, "fake", "fake"), options=RunOptions(tensors=("h0",))
        )  # fmt: skip


def test_version_that_was_not_checked_is_not_profiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_litert_profiler.metadata, "version", lambda _name: "9.1.0")

    with pytest.raises(RunnerError, match=r"ai-edge-litert 9\.1\.0 has a C interface that was not checked"):
        _litert_profiler.operators("/nowhere", "model", {}, [], [])


def test_library_without_a_function_is_not_profiled() -> None:
    with pytest.raises(RunnerError, match="LiteRT's library lacks LiteRtCreateEnvironment"):
        _litert_profiler._Model(SimpleNamespace(), "model", {"threads": 1, "kernels": "default"})
