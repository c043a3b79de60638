"""TorchScript files (.pt), and .ptl of other tools, for inspection only; nothing of them is loaded or run."""

from __future__ import annotations

from pathlib import Path

from edgekit.core.torchscript import is_ours, is_script, read_script
from edgekit.sources._base import Signature, Source
from edgekit.sources._facts import told_facts
from edgekit.sources._zip import check_archive, member_names


class TorchScript(Source):
    """What `torch.jit.save` and `_save_for_lite_interpreter` write."""

    format = "torchscript"

    def matches(self, path: Path) -> bool:
        """A zip archive with TorchScript's code or bytecode, but without what edgekit adds to its own."""
        if not path.is_file():
            return False
        names = member_names(path)
        return is_script(names) and not is_ours(names)

    def _load(self, path: Path) -> Signature:
        check_archive(path)
        script = read_script(path)
        return Signature(
            facts=told_facts(
                parameters=script.values, operators=script.operators, dtypes=script.dtypes, has_float_weights=True
            ),
        )


SOURCE = TorchScript()
