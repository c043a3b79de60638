"""Comparing on real devices: paired losses, exit codes, stored runs, and drift between two processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from tests.integration.conftest import EMULATED_PI, Edgekit

HERE = ("--device", "local://", "--target", "host")


@pytest.fixture
def bundles(edgekit: Edgekit, quickstart: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The quickstart's float and int8 bundles for this computer."""
    made = []
    for recipe in ("float32", "int8"):
        path = tmp_path / f"{recipe}.edgekit"
        edgekit(
            "compile", quickstart / "quickstart.keras", "--target", "host", "--recipe", recipe, "-o", path,
            "--calibration-data", quickstart / "train.npz",
        )  # fmt: skip
        made.append(path)
    return made[0], made[1]


def test_loss_against_the_float_model_decides_the_exit_code(
    edgekit: Edgekit, bundles: tuple[Path, Path], quickstart: Path
) -> None:
    flags = (*HERE, "--eval-data", quickstart / "test.npz", "--reference", quickstart / "quickstart.keras")

    passed = edgekit("evaluate", bundles[1], *flags, "--max-drop", 0.03)
    too_few = edgekit("evaluate", bundles[1], *flags, "--max-drop", 0.03, "--limit", 20, fails=11)
    undeclared = edgekit("evaluate", bundles[1], *flags, "--limit", 20)
    broken = edgekit("evaluate", bundles[1], *HERE, *flags[4:6], "--max-drop", 0.03, fails=2)

    assert (passed["paired"]["outcome"], passed["paired"]["needed"]) == ("pass", None)
    assert passed["paired"]["ci95"][0] <= passed["paired"]["drop"] <= passed["paired"]["ci95"][1] < 0.03
    assert too_few["paired"]["outcome"] == "inconclusive"
    assert too_few["paired"]["needed"] > 20
    assert undeclared["paired"]["max_drop"] == 0.01
    assert sum(one["n"] for one in passed["per_class"]) == 540
    assert "--reference" in broken["error"]["hint"]


def test_two_runs_on_other_data_get_no_verdict_on_the_accuracy(
    edgekit: Edgekit, bundles: tuple[Path, Path], quickstart: Path
) -> None:
    flags = (*HERE, "--eval-data", quickstart / "test.npz")
    float32, int8 = (edgekit("evaluate", bundle, *flags)["run_id"] for bundle in bundles)
    fewer = edgekit("evaluate", bundles[1], *flags, "--limit", 100)["run_id"]

    judged = edgekit("compare", float32, int8)
    refused = edgekit("compare", float32, fewer, fails=11)

    assert judged["accuracy"]["n"] == 540
    assert judged["refused"] == {}
    assert refused["accuracy"] is None
    assert "dataset" in refused["refused"]["accuracy"]


class TestOnAnotherProcessor:
    """On the emulated Cortex-A72."""

    pytestmark = EMULATED_PI

    def test_same_kernels_predict_the_device_and_layers_tell_where_others_part(
        self, edgekit: Edgekit, rpi4: DeviceEntry, bundles: tuple[Path, Path], quickstart: Path
    ) -> None:
        document = edgekit(
            "compare", bundles[1], "--drift", "--device", "pi", "--target", "rpi4", "--data", quickstart / "test.npz",
            "--limit", 200,
        )  # fmt: skip

        drift = document["drift"]
        by_place = {one["place"]: one for one in drift["outputs"]}
        assert drift["provenance"] == "emulated"
        assert drift["predicts"] == ["default"]
        assert by_place["default"]["identical_samples"] == 200
        assert by_place["builtin"]["identical_samples"] < 200
        assert by_place["builtin"]["max_lsb"] >= 1
        assert by_place["builtin"]["agreement"] > 0.99
        firsts = [layer for layer in drift["layers"] if layer["is_first"]]
        assert {layer["against"] for layer in firsts} == {"builtin", "reference"}
        assert all(layer["differing_share"] > 0 for layer in firsts)
        assert drift["layer_samples"] == 16
