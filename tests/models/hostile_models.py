"""Writes the models with which promise P20 attacks the agent: `python -m tests.models.hostile_models`.

They are made by the frameworks' own tools and kept in edgekit/selftest/lab/hostile_models.zip, so that whoever runs
`edgekit selftest --promises` needs none of those tools. The archive's index.json names each model's format, its inputs,
and how a run of it may end.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from tests.models.hostile_pte import crafted as crafted_pte
from tests.models.hostile_pte import seeds as pte_seeds
from tests.models.hostile_ptl import crafted as crafted_ptl
from tests.models.hostile_ptl import seeds as ptl_seeds
from tests.models.hostile_tflite import crafted as crafted_tflite
from tests.models.hostile_tflite import seeds as tflite_seeds

ARCHIVE = Path(__file__).parents[2] / "edgekit" / "selftest" / "lab" / "hostile_models.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(path: Path) -> None:
    """The archive with all models."""
    index: dict[str, Any] = {}
    with zipfile.ZipFile(path, "w") as archive:
        for form, made in (
            ("tflite", {**tflite_seeds(), **crafted_tflite()}),
            ("pte", {**pte_seeds(), **crafted_pte()}),
            ("ptl", {**ptl_seeds(), **crafted_ptl()}),
        ):
            for name, (data, inputs, ends) in made.items():
                index[f"{form}/{name}"] = {"format": form, "inputs": inputs, "ends": ends}
                archive.writestr(zipfile.ZipInfo(f"{form}/{name}", _EPOCH), data, zipfile.ZIP_DEFLATED, 9)
        text = json.dumps(index, indent=1, sort_keys=True)
        archive.writestr(zipfile.ZipInfo("index.json", _EPOCH), text, zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    write(ARCHIVE)
