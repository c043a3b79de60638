"""Hostile .ptl files: TorchScript that loops, eats memory, and reads and writes files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from edgekit.passes._torch.lite import packed

Made = Mapping[str, tuple[bytes, list[Any], list[str]]]
"""Bytes, inputs as [shape, dtype], and how a run may end, by name."""

_INPUTS = [[[1, 4], "float32"]]
_FACTS = {
    "inputs": [{"name": "x", "shape": [1, 4], "dtype": "float32"}],
    "outputs": [{"name": "y", "shape": [1, 4], "dtype": "float32"}],
    "engine": "none",
}


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.hidden(x))


class Loops(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while x.numel() >= 0:
            x = x + 1
        return x


class Prints(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while x.numel() >= 0:
            print(x)  # noqa: T201 -- the attack
        return x


class Eats(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = [x]
        while x.numel() >= 0:
            kept.append(torch.empty([1 << 26]))
        return kept[-1]


class Huge(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones([1 << 50])


class Raises(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() >= 0:
            raise ValueError("\x1b]0;hostile\x07")
        return x


class Views(torch.nn.Module):
    """What lies behind the input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_strided(x, [1, 4], [1, 1], 1 << 40)


class Saves(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(x, "../canary-of-a-model")
        return x


class Maps(torch.nn.Module):
    """Makes a file of the size that it asks for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_file("../canary-of-a-model", shared=True, size=4, dtype=torch.float32).view(1, 4)


class Reads(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_file("../lock", shared=False, size=4, dtype=torch.float32).view(1, 4)


def seeds() -> Made:
    """A good model, to be damaged."""
    torch.manual_seed(0)
    return {"seed": (_saved(Small()), _INPUTS, ["ok"])}


def crafted() -> Made:
    """The attacks."""
    return {
        "loop_without_end": (_saved(Loops()), _INPUTS, ["timeout"]),
        "print_without_end": (_saved(Prints()), _INPUTS, ["timeout"]),
        "list_without_end": (_saved(Eats()), _INPUTS, ["oom", "error"]),
        "pebibytes": (_saved(Huge()), _INPUTS, ["oom", "error"]),
        "raise_with_escapes": (_saved(Raises()), _INPUTS, ["error"]),
        "view_beyond": (_saved(Views()), _INPUTS, ["error", "signal"]),
        "save_a_file": (_saved(Saves()), _INPUTS, ["error"]),
        "map_a_file": (_saved(Maps()), _INPUTS, ["error"]),
        "read_a_file": (_saved(Reads()), _INPUTS, ["error"]),
    }


def _saved(module: Any) -> bytes:
    script: Any = torch.jit.script(module.eval())
    saved: bytes = script._save_to_buffer_for_lite_interpreter(_extra_files={"edgekit.json": json.dumps(_FACTS)})
    return packed(saved)  # without the paths of this computer
