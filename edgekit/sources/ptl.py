"""Finished models for PyTorch Mobile (.ptl) that edgekit made, which say what they take and give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError, VerificationError
from edgekit.core.torchscript import is_ours, read_script
from edgekit.sources._base import Signature, Source
from edgekit.sources._facts import told_facts
from edgekit.sources._zip import check_archive, member_names

_ENGINES = {"none", "qnnpack", "x86", "fbgemm"}
_FILE_OPERATORS = {"aten::save", "aten::from_file"}


class Ptl(Source):
    """A lite interpreter's file with `extra/edgekit.json`."""

    format = "ptl"

    def matches(self, path: Path) -> bool:
        """A zip archive with bytecode and what edgekit adds."""
        return path.is_file() and is_ours(member_names(path))

    def _load(self, path: Path) -> Signature:
        check_archive(path)
        script = read_script(path)
        if opens := sorted(_FILE_OPERATORS & script.operators.keys()):
            raise VerificationError(
                f"{path.name} would open files: it holds the operators {', '.join(opens)}", hint="do not use it"
            )
        told = script.facts or {}
        try:
            inputs, outputs = (tuple(map(_spec, told[side])) for side in ("inputs", "outputs"))
            if told["engine"] not in _ENGINES:
                raise ValueError(f"engine {told['engine']!r}")
        except (TypeError, ValueError, KeyError) as cause:
            raise UnsupportedError(
                f"{path.name}: edgekit.json in it makes no sense: {cause}", hint="make it again with edgekit compile"
            ) from cause
        return Signature(
            inputs=inputs,
            outputs=outputs,
            facts=told_facts(
                parameters=script.values,
                operators=script.operators,
                dtypes=[dtype for dtype in script.dtypes if dtype != "int64"],  # counts and sizes, no weights
                has_float_weights=told["engine"] == "none",
            ),
        )


def _spec(told: Any) -> TensorSpec:
    return TensorSpec(name=str(told["name"]), shape=tuple(map(int, told["shape"])), dtype=str(told["dtype"]))


SOURCE = Ptl()
