"""A converter's memory of a model: what its file holds counts, not where it lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

HERE = f"{__file__}:"


def save(path: str, bias: float) -> None:
    """In the child: a net that adds a number."""
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    net.layers[0].set_weights([np.zeros((4, 2), np.float32), np.full(2, bias, np.float32)])
    net.save(path)


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)])
def test_other_model_under_the_same_path_is_converted_anew(isolate, tmp_path: Path, order: tuple[float, float]):
    found = []
    for bias in order:
        isolate.call(f"{HERE}save", {"path": str(tmp_path / "net.keras"), "bias": bias}, what="saving")
        output = tmp_path / f"{bias}.tflite"
        isolate.call(
            "edgekit.passes._tensorflow:convert",
            {
                "source": str(tmp_path / "net.keras"), "source_format": "keras", "output": str(output),
                "mode": "float32", "io": "float32", "representative": [], "input_shape": None,
            },
            what="converting",
        )  # fmt: skip
        found.append(np.float32(bias).tobytes() * 2 in output.read_bytes())

    assert found == [True, True]
