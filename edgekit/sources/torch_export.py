"""Programs of torch.export (.pt2); those whose loading would run code are refused."""

from __future__ import annotations

from pathlib import Path

from edgekit.core.pt2 import is_program, read_program
from edgekit.sources._base import Signature, Source
from edgekit.sources._zip import check_archive, member_names


class TorchExport(Source):
    """What `torch.export.save` writes."""

    format = "torch_export"

    def matches(self, path: Path) -> bool:
        """A zip archive with the serialized graph, or what PyTorch compiled from it."""
        return path.is_file() and is_program(member_names(path))

    def _load(self, path: Path) -> Signature:
        check_archive(path)
        program = read_program(path)
        return Signature(inputs=program.inputs, outputs=program.outputs)


SOURCE = TorchExport()
