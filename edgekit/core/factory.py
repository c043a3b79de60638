"""A model that is code: the function that builds it, and the file of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.core.function_name import is_function_name


@dataclass(frozen=True, kw_only=True)
class Factory:
    """A PyTorch model as people name it: `package.module:function`, with `--weights`.

    Attributes:
        function: module and name; called without arguments it gives a torch.nn.Module.
        weights: safetensors or a state dict; None keeps the weights that the function gives.
    """

    function: str
    weights: Path | None = None

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether a text names a function and not a path: a `:` between two Python names."""
        return is_function_name(text)

    @property
    def name(self) -> str:
        """As people wrote it."""
        return self.function

    @property
    def stem(self) -> str:
        """What files are named after: the module, without its package."""
        return self.function.partition(":")[0].rpartition(".")[2]

    def __str__(self) -> str:
        return self.function
