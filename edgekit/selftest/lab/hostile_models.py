"""The models that attack the agent: made once by the frameworks' own tools, and kept beside this file.

`python -m tests.models.hostile_models` makes the archive.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, kw_only=True)
class HostileModel:
    """A model.

    Attributes:
        name: e.g. "tflite/loop_without_end".
        format: name of the format, also that of the part before the slash.
        data: its bytes.
        inputs: shape and dtype of each input.
        ends: how a run of it may end: "ok", "error", "signal", "timeout", "oom".
    """

    name: str
    format: str
    data: bytes
    inputs: Sequence[tuple[Sequence[int], str]]
    ends: frozenset[str]

    @property
    def is_seed(self) -> bool:
        """Whether it is a good model, to be damaged."""
        return self.name.partition("/")[2].startswith("seed")


def hostile_models() -> list[HostileModel]:
    """All of them, by name."""
    with (
        resources.files(__package__).joinpath("hostile_models.zip").open("rb") as stream,
        zipfile.ZipFile(stream) as archive,
    ):
        index = json.loads(archive.read("index.json"))
        return [
            HostileModel(
                name=name,
                format=told["format"],
                data=archive.read(name),
                inputs=[(shape, dtype) for shape, dtype in told["inputs"]],
                ends=frozenset(told["ends"]),
            )
            for name, told in sorted(index.items())
        ]
