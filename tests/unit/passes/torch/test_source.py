"""A factory becomes an artifact, or a clear word on what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import ConfigurationError
from tests.models.fixtures import shared_user_isolate


def made(factory: str, output: Path, shape: tuple[int, ...] = (1, 8, 8)) -> dict[str, Any]:
    job = {"factory": factory, "weights": None, "shown": "", "shapes": [shape], "dtypes": ["float32"]}
    result: dict[str, Any] = shared_user_isolate().call(
        "edgekit.passes._torch.source:make", {**job, "output": str(output)}, what=f"building {factory}"
    )
    return result


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("tests.models.not_there:make", "no model factory 'tests.models.not_there:make'"),
        ("tests.models.torch_nets:absent", "no model factory 'tests.models.torch_nets:absent'"),
        ("os:getpid", "gives a int"),
        ("math:sqrt", "fails: TypeError"),
    ],
)
def test_factory_that_is_none_is_a_configuration_error(tmp_path: Path, factory: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        made(factory, tmp_path / "model.torch")
    assert not (tmp_path / "model.torch").exists()


def test_factory_without_weights_keeps_its_own_and_says_so(tmp_path: Path) -> None:
    result = made("tests.models.torch_nets:make_cnn", tmp_path / "model.torch")

    assert any("no --weights" in text for text in result["warnings"])
    assert result["inputs"][0]["shape"] == [-1, 1, 8, 8]
    assert result["outputs"][0]["shape"] == [-1, 10]


def test_images_without_a_channel_axis_get_one_where_the_model_asks_for_it(tmp_path: Path) -> None:
    assert made("tests.models.torch_nets:make_cnn", tmp_path / "a", (8, 8))["inputs"][0]["shape"] == [-1, 1, 8, 8]


def test_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made("tests.models.torch_nets:make_cnn", tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
