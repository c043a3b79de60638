"""Files of the lite interpreter, .ptl: traced for one sample, frozen, and packed so that bytes depend on nothing else.

torch writes such a file for two readers: the lite interpreter takes bytecode.pkl, data.pkl and the tensors that those
name; TorchScript takes constants.pkl and code/, with debug information that holds paths of this computer. The second
reader is served on request, without the debug information, and every member is deflated, which both torch and PyTorch
Mobile read; that leaves about two thirds of a small model.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.engine import quiet
from edgekit.passes._torch.loading import leaves, run_once, where

_ROOT = "model"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READ = ("bytecode.pkl", "data.pkl")
_FOR_TORCHSCRIPT = ("code/", "constants.pkl", ".data/")
_CONSTANTS = "constants.pkl"
_CODE = "code/__torch__.py"
_CLASS = re.compile(r"__torch__\.(?!torch\.classes\.)(?:\w+\.)*\w+")
_AGREEMENT = 1e-3
"""Of a trace with the module, relative to the largest answer: folding batch norm moves a float's last digits."""


def write(
    module: Any,
    examples: Sequence[Any],
    output: str,
    *,
    inputs: Sequence[TensorSpec],
    engine: str,
    name: str,
    script: Any = None,
    torchscript: bool = False,
) -> tuple[list[TensorSpec], list[dict[str, Any]]]:
    """Write a module as a .ptl.

    Args:
        module: in evaluation mode; it must not depend on the values of its inputs, see `control_flow`.
        examples: inputs of one sample.
        output: the file.
        inputs: the module's signature.
        engine: which packed its quantized weights, "none" for a float module.
        name: for messages.
        script: a script module that answers as the module does, to be written instead of its trace.
        torchscript: the file is for `torch.jit.load` too.

    Returns:
        The outputs of one sample, and the operators as `edgekit.flows._child.facts` lists them.

    Raises:
        UnsupportedError: the module cannot be traced, or the trace answers differently.
    """
    answers = run_once(module, examples, name=name)
    outputs = [
        TensorSpec(
            name="output" if len(answers) == 1 else f"output_{index}",
            shape=tuple(answer.shape),
            dtype=str(answer.dtype).removeprefix("torch."),
        )
        for index, answer in enumerate(answers)
    ]
    told = {
        "inputs": [_told(spec, (1, *spec.shape[1:])) for spec in inputs],
        "outputs": [_told(spec, spec.shape) for spec in outputs],
        "engine": engine,
    }
    script = script or traced(module, examples, name)
    with quiet():
        saved = script._save_to_buffer_for_lite_interpreter(  # noqa: SLF001 - it has no other name
            _extra_files={"edgekit.json": json.dumps(told, sort_keys=True)}
        )
    Path(output).write_bytes(packed(saved, torchscript=torchscript))
    others = [1 - given if given.dtype.is_floating_point else given for given in examples]
    answers = run_once(module, others, name=name)
    for load in _loaders(torchscript=torchscript):
        _check_file(load, output, others, answers, name)
    return outputs, _operators(script)


def _told(spec: TensorSpec, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(shape), "dtype": spec.dtype}


def traced(module: Any, examples: Sequence[Any], name: str) -> Any:
    """A frozen trace of a module.

    Raises:
        UnsupportedError: it cannot be traced.
    """
    import torch

    jit: Any = torch.jit

    class Flat(torch.nn.Module):
        """Answers with one tensor or a tuple of them, which the runners take."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *given: Any) -> Any:
            found = leaves(self.inner(*given))
            return found[0] if len(found) == 1 else tuple(found)

    with torch.no_grad(), quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", jit.TracerWarning)  # `control_flow` knows better, and we compare below
        try:
            flat = Flat().eval()
            return jit.freeze(jit.trace(flat, tuple(examples), check_trace=False))
        except Exception as cause:
            raise UnsupportedError(
                f"{name} cannot be traced: {_reason(cause)}{where(cause)}",
                hint="PyTorch Mobile takes tensors in and tensors out, on one fixed path",
            ) from cause


def _reason(error: Exception) -> str:
    """One line of an error; that of TorchScript's interpreter comes last, after a trace of its own."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if "TorchScript interpreter" in lines[0] else 0].strip()[:300]


def _loaders(*, torchscript: bool) -> list[Any]:
    import torch
    from torch.jit.mobile import _load_for_lite_interpreter

    jit: Any = torch.jit
    return [_load_for_lite_interpreter, *([jit.load] if torchscript else [])]


def _check_file(load: Any, path: str, inputs: Sequence[Any], answers: Sequence[Any], name: str) -> None:
    """The file answers as the module does, on another sample than the one that was traced.

    Raises:
        UnsupportedError: it does not, so something went past the trace, e.g. NumPy or a random number.
    """
    import torch

    with quiet(), torch.no_grad():
        found = leaves(load(path)(*inputs))
    for ours, theirs in zip(found, answers, strict=True):
        largest = max(1.0, float(theirs.abs().max()) if theirs.numel() else 0.0)
        if ours.shape != theirs.shape or float((ours - theirs).abs().max()) > _AGREEMENT * largest:
            raise UnsupportedError(
                f"{name} answers differently once it is traced",
                hint="take NumPy and random numbers out of forward",
            )


def _operators(traced: Any) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for node in traced.inlined_graph.nodes():
        if not (kind := node.kind()).startswith("prim::"):
            counts[kind] = counts.get(kind, 0) + 1
    return [{"name": kind, "count": counts[kind], "version": 1, "custom": False} for kind in sorted(counts)]


def packed(saved: bytes, *, torchscript: bool = False) -> bytes:
    """A .ptl as torch writes it, as one whose bytes depend on the model alone.

    Members for TorchScript go unless they are asked for, and tensors that only those name; classes get names that
    neither the user's folders nor earlier conversions are in; the root folder has one name, and the members one time.
    """
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    classes: dict[str, str] = {}
    used: set[str] = set()
    for name in (*_READ, _CONSTANTS) if torchscript else _READ:
        members[name] = _renamed(members[name], classes, used)
    kept = {name: content for name, content in members.items() if not name.startswith(_FOR_TORCHSCRIPT)}
    if torchscript:
        kept |= {_CODE: _code(members, classes), _CONSTANTS: members[_CONSTANTS]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in kept.items():
            if name.endswith(".storage") and name.rpartition("/")[2] not in used:
                continue
            info = zipfile.ZipInfo(f"{_ROOT}/{name}", _EPOCH)
            info.create_system = _UNIX
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def _code(members: Mapping[str, bytes], classes: dict[str, str]) -> bytes:
    """The source of TorchScript: a frozen trace is one class, whose name is ours from now on.

    Raises:
        UnsupportedError: it is several, whose order would have to be found.
    """
    sources = {name: text.decode() for name, text in members.items() if name.endswith(".py") and text.strip()}
    if len(sources) != 1 or len(classes) != 1:
        raise UnsupportedError(
            f"TorchScript keeps this model as {max(len(sources), len(classes))} classes, edgekit writes one",
            hint="leave torchscript out",
        )
    (text,), (old,) = sources.values(), classes
    own = old.rpartition(".")[2]
    return _fresh(text, classes).replace(f"class {own}(Module):", "class Model(Module):", 1).encode()


def _renamed(pickled: bytes, classes: dict[str, str], used: set[str]) -> bytes:
    """A pickle with other names of classes; nothing of it is run.

    Args:
        pickled: protocol 2, as torch writes it: BINUNICODE and GLOBAL hold names.
        classes: new names by old ones; it grows.
        used: every text in it, e.g. names of storages; it grows.
    """
    places = list(pickletools.genops(pickled))
    parts = []
    for place, (op, argument, start) in enumerate(places):
        assert start is not None
        end = places[place + 1][2] if place + 1 < len(places) else len(pickled)
        raw = pickled[start:end]
        text = str(argument)
        if op.name == "BINUNICODE":
            used.add(text)
            encoded = _fresh(text, classes).encode()
            raw = b"X" + len(encoded).to_bytes(4, "little") + encoded
        elif op.name == "GLOBAL":
            module, _, name = _fresh(text.replace(" ", "."), classes).rpartition(".")
            raw = f"c{module}\n{name}\n".encode()
        parts.append(raw)
    return b"".join(parts)


def _fresh(text: str, classes: dict[str, str]) -> str:
    """A text in which our own names stand for the user's classes, in the order in which they are met."""

    def name(match: re.Match[str]) -> str:
        found = match.group()
        method = ".forward" if found.endswith(".forward") else ""
        found = found.removesuffix(method) if method else found
        return classes.setdefault(found, f"__torch__.Model{len(classes) or ''}") + method

    return _CLASS.sub(name, text)


def specs_of_one(specs: Sequence[TensorSpec]) -> list[Mapping[str, Any]]:
    """A signature for one sample, as `PassResult` takes it."""
    return [TensorSpec(name=spec.name, shape=(1, *spec.shape[1:]), dtype=spec.dtype).as_json() for spec in specs]
