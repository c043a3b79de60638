"""What may differ between a baseline and now, and what that blocks."""

from __future__ import annotations

import pytest

from edgekit.flows.gating.comparability import ON_DEVICE, blocking, differences
from tests.models.measured import setting


def test_same_setting_blocks_nothing() -> None:
    assert differences(setting(), setting()) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "rpi5"}, "the target was rpi4 and is rpi5"),
        ({"cpu": "0x41 0xd0b"}, "the processor was 0x41 0xd08 and is 0x41 0xd0b"),
        ({"machine": "armv7l"}, "the architecture was aarch64 and is armv7l"),
        ({"emulated": True}, "whether it is emulated was False and is True"),
        ({"runtime": "tflite_runtime"}, "the runtime was litert and is tflite_runtime"),
        (
            {"versions": {"ai-edge-litert": "2.4.0"}},
            "the runtime's version was ai-edge-litert 2.3.0 and is ai-edge-litert 2.4.0",
        ),
        ({"threads": 4}, "the number of threads was 1 and is 4"),
        ({"kernels": "reference"}, "the choice of kernels was default and is reference"),
    ],
)
def test_another_machine_or_runtime_blocks_what_depends_on_the_device(change: dict[str, object], says: str) -> None:
    (found,) = differences(setting(), setting(**change))

    assert found.blocks == ON_DEVICE
    assert found.reason == f"{says}: save the baseline again"
    assert "flash_bytes" not in blocking((found,))


@pytest.mark.parametrize("change", [{"dataset": "e" * 64}, {"metric": "f1"}])
def test_another_evaluation_set_or_metric_blocks_the_accuracy_alone(change: dict[str, object]) -> None:
    (found,) = differences(setting(), setting(**change))

    assert found.blocks == ("accuracy",)


def test_evaluation_set_that_is_left_out_is_no_difference() -> None:
    assert differences(setting(), setting(dataset=None, metric=None)) == ()


def test_another_environment_is_told_and_blocks_nothing() -> None:
    (found,) = differences(setting(), setting(fingerprint="0" * 64))

    assert found.blocks == ()
    assert found.reason == "the environment was ffffffffffff and is 000000000000"


def test_all_reasons_of_a_metric_are_told() -> None:
    reasons = blocking(differences(setting(), setting(threads=4, dataset="e" * 64)))

    assert "threads" in reasons["accuracy"]
    assert "evaluation set" in reasons["accuracy"]
    assert "evaluation set" not in reasons["latency_ns"]
