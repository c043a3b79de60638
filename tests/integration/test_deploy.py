"""The whole path: a Keras model becomes a measured release on an emulated Raspberry Pi 4, over real SSH."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import edgekit as ek
from edgekit.core.device_entry import DeviceEntry
from edgekit.pytest_plugin.runs import Evaluate
from tests.integration.conftest import EMULATED_PI, Edgekit

pytestmark = EMULATED_PI

QUICK = ("--processes", 3, "--num-runs", 40, "--min-seconds", 0.1)


def data(quickstart: Path) -> tuple[object, ...]:
    return ("--calibration-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz")


def test_deploy_compiles_activates_and_measures_on_the_device(
    edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path
) -> None:
    model = quickstart / "quickstart.keras"

    document = edgekit("deploy", model, "--target", "rpi4", *data(quickstart), *QUICK)

    status = edgekit("status", "--device", "pi")
    assert status["active"] == document["bundle"]["sha256"] == document["deployment"]["active"]
    assert status["machine"] == "aarch64"
    assert document["recipe"] == "int8"
    assert document["artifact"]["size_bytes"] < document["reference"]["size_bytes"] / 2
    evaluation = document["evaluation"]
    assert evaluation["accuracy"]["n"] == 540
    assert evaluation["accuracy"]["value"] > 0.95
    assert evaluation["accuracy"]["ci95"][0] < evaluation["accuracy"]["value"] < evaluation["accuracy"]["ci95"][1]
    assert evaluation["accuracy"]["provenance"] == "emulated"
    assert evaluation["reference"] == document["accuracy"]["float"]
    assert evaluation["reference"]["provenance"] == "measured"
    profile = document["profile"]
    assert profile["processes"] == 3
    assert profile["samples"] >= 120
    assert profile["latency_ns"]["p50"] > 0
    assert profile["latency_ns"]["p90"] >= profile["latency_ns"]["p50"]
    assert profile["memory"]["peak_rss_bytes"] > profile["memory"]["baseline_rss_bytes"] > 0
    assert profile["provenance"] == "emulated"
    assert "EMULATED" in profile["validity"]


def test_int8_outputs_of_the_emulated_a72_equal_the_hosts_bit_for_bit(
    edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path
) -> None:
    model = quickstart / "quickstart.keras"

    document = edgekit("deploy", model, "--target", "rpi4", *data(quickstart), "--no-profile")

    assert document["evaluation"]["identical_outputs"] == document["evaluation"]["samples"] == 540
    assert document["evaluation"]["max_abs_difference"] == 0
    assert document["evaluation"]["agreement"] == 1
    assert document["profile"] is None
    markdown = edgekit_text("report", "--markdown", "-")
    assert "outputs equal bit for bit" in markdown


def edgekit_text(*arguments: str) -> str:
    import subprocess
    import sys

    command = [sys.executable, "-m", "edgekit.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_redeploy_of_an_unchanged_bundle_sends_nothing(edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path) -> None:
    model = quickstart / "quickstart.keras"
    flags = ("--target", "rpi4", "--no-profile", "--seed", 11)  # other samples, so no other test sent this bundle
    first = edgekit("deploy", model, *flags, "--calibration-data", quickstart / "train.npz")

    second = edgekit("deploy", model, *flags, "--calibration-data", quickstart / "train.npz")

    # less where the device has an earlier release of the same model
    assert 0 < first["deployment"]["transferred_bytes"] <= first["bundle"]["transfer_bytes"]
    assert first["bundle"]["transfer_bytes"] < first["deployment"]["bytes_sent"]
    assert second["deployment"]["bytes_sent"] == second["deployment"]["transferred_bytes"] == 0
    assert second["deployment"]["unchanged"] is True
    assert second["cache_hit"] is True
    assert second["bundle"]["sha256"] == first["bundle"]["sha256"]


def test_rollback_makes_the_previous_release_active_again(
    edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path
) -> None:
    flags = ("--target", "rpi4", "--no-profile", "--calibration-data", quickstart / "train.npz")
    old = edgekit("deploy", quickstart / "quickstart.keras", *flags)["bundle"]["sha256"]
    new = edgekit("deploy", quickstart / "quickstart.keras", *flags, "--recipe", "dynamic")["bundle"]["sha256"]
    assert old != new

    back = edgekit("rollback", "--device", "pi")

    assert back["active"] == old == edgekit("status", "--device", "pi")["active"]
    assert back["previous"] == new


def test_profile_and_evaluate_speak_of_what_is_active(
    edgekit: Edgekit, rpi4: DeviceEntry, edge_evaluate: Evaluate, quickstart: Path
) -> None:
    flags = ("--target", "rpi4", "--no-profile", "--calibration-data", quickstart / "train.npz")
    deployed = edgekit("deploy", quickstart / "quickstart.keras", *flags)

    profile = edgekit("profile", "--device", "pi", "--mode", "brief", *QUICK)
    evaluated = edge_evaluate(None, quickstart / "test.npz", reference=quickstart / "quickstart.keras")

    assert profile["artifact_sha256"] == evaluated.document["artifact_sha256"] == deployed["artifact"]["sha256"]
    assert "SYNTHETIC" in profile["validity"]
    assert evaluated.document["agreement"] is None
    evaluated.assert_accuracy(at_least=0.93)
    evaluated.assert_accuracy_drop(0.02)


def test_tflite_runtime_is_provisioned_and_runs_the_same_bytes(
    edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path
) -> None:
    flags = ("--device", "pi", "--target", "rpi4_tflite_runtime", "--no-profile")

    document = edgekit("deploy", quickstart / "quickstart.keras", *flags, *data(quickstart))

    assert document["runtime"] == "tflite_runtime"
    assert document["evaluation"]["accuracy"]["value"] > 0.95
    assert edgekit("status", "--device", "pi")["runtimes"]["tflite_runtime"]["ok"] is True


def test_python_api_does_what_the_command_line_does(rpi4: DeviceEntry, quickstart: Path, tmp_path: Path) -> None:
    with np.load(quickstart / "train.npz") as train, np.load(quickstart / "test.npz") as test:
        calibration, x, y = train["x"], test["x"][:100], test["y"][:100]

    bundle = ek.compile(
        quickstart / "quickstart.keras", target="rpi4", calibration_data=calibration, output=tmp_path / "b.edgekit"
    )
    with ek.Device.connect("pi") as device:
        deployment = device.deploy(bundle)
        evaluation = device.evaluate(x, y)

    assert deployment.active == bundle.digest == ek.Bundle.open(tmp_path / "b.edgekit").digest
    assert evaluation.accuracy is not None
    assert evaluation.accuracy.n == 100
    assert evaluation.accuracy.value > 0.9


def test_deploy_refuses_a_device_of_another_architecture(edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path) -> None:
    model = quickstart / "quickstart.keras"

    error = edgekit("deploy", model, "-t", "rpi4", "-d", "local", "--recipe", "dynamic", fails=14)["error"]

    assert "aarch64" in error["message"]
