"""Models that edgekit did not train, each from one command to the emulated Raspberry Pi 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from tests.integration.conftest import EMULATED_PI, Edgekit

pytestmark = [*EMULATED_PI, pytest.mark.shared_data]


@pytest.mark.full
def test_float_mnist_model_is_compressed_to_int8_by_the_deploy(
    edgekit: Edgekit, rpi4: DeviceEntry, shared: Path
) -> None:
    mnist = shared / "data" / "mnist.npz"

    document = edgekit(
        "deploy", shared / "models" / "aeq" / "conv_fc_mnist.tflite", "--target", "rpi4", "--no-profile",
        "--calibration-data", f"{mnist}#train", "--eval-data", f"{mnist}#test", "--scale", "1/255",
    )  # fmt: skip

    float_model, int8 = document["evaluation"]["reference"], document["evaluation"]["accuracy"]
    assert float_model["n"] == int8["n"] == 10_000
    assert float_model["value"] == pytest.approx(0.965, abs=0.001)
    assert int8["value"] == pytest.approx(float_model["value"], abs=0.01)
    assert document["artifact"]["size_bytes"] < 0.3 * document["source"]["size_bytes"]


@pytest.mark.full
@pytest.mark.parametrize("samples", [400, 2000])
def test_resnet8_to_int8_differs_little_from_float_on_cifar(
    edgekit: Edgekit, rpi4: DeviceEntry, shared: Path, samples: int
) -> None:
    images = shared / "data" / "cifar10_test_jpeg_2000.npz"

    document = edgekit(
        "deploy", shared / "models" / "mlperf_tiny" / "pretrainedResnet.tflite", "--target", "rpi4", "--no-profile",
        "--calibration-data", images, "--eval-data", images, "--limit", samples,
    )  # fmt: skip

    drop = document["evaluation"]["reference"]["value"] - document["evaluation"]["accuracy"]["value"]
    assert document["evaluation"]["accuracy"]["n"] == samples
    assert abs(drop) < 0.01
    assert document["evaluation"]["agreement"] > 0.99
    assert any("evaluation set too" in warning for warning in document["warnings"])


@pytest.mark.parametrize(
    ("model", "operators"),
    [
        ("mobilenet_v1_0.25_128_quant.tflite", 5),
        pytest.param("tf2_mobilenet_v2_1.0_224_ptq.tflite", 6, marks=pytest.mark.full),
        pytest.param("movenet_single_pose_lightning_ptq.tflite", 15, marks=pytest.mark.full),
    ],
)
def test_compressed_model_is_deployed_as_it_is_and_profiled(
    edgekit: Edgekit, rpi4: DeviceEntry, shared: Path, model: str, operators: int
) -> None:
    path = shared / "models" / "coral" / model

    inspected = edgekit("inspect", path)
    document = edgekit(
        "deploy", path, "--target", "rpi4", "--processes", 2, "--num-runs", 3, "--warmup-runs", 1, "--min-seconds", 0
    )

    assert len(inspected["ops"]) >= operators
    assert inspected["targets"]["rpi4"]["ok"] is True
    assert document["recipe"] == "as_is"
    assert document["artifact"]["sha256"] == document["source"]["sha256"] == inspected["sha256"]
    assert document["profile"]["samples"] == 6
    assert document["profile"]["latency_ns"]["p50"] is None, "six samples are too few for a percentile"
    assert document["profile"]["latency_ns"]["ci95"] is not None
