"""The working format of PyTorch models, "torch": weights as safetensors, and the name of the function that builds them.

A module is code, and code cannot be kept in a file of weights without a pickle. So the file names the user's factory,
which is imported and called anew wherever the model is needed, and holds every parameter and buffer. What a pass did to
the weights is in the file; what a structured pass did to shapes is read off them (`fit_shapes`).
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.passes._torch.settings import settle
from edgekit.passes._torch.shapes import fit_shapes
from edgekit.spaces.trial import FixedTrial

_METADATA = "edgekit"
_SHOWN_KEYS = 5


@dataclass(kw_only=True)
class Loaded:
    """A module with what the file tells of it.

    Attributes:
        module: in eval mode, float32, on the CPU.
        inputs, outputs: its signature; the first axis is the batch, -1. Outputs that are tuples, lists or dicts come in
            the order of their leaves.
        factory: `package.module:function` that builds it.
        code: SHA-256 over the user's modules that the factory needs.
        extra: what passes keep beside the weights, JSON.
    """

    module: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    factory: str
    code: str
    extra: dict[str, Any] = field(default_factory=dict)


def load(path: str) -> Loaded:
    """Build the module of a "torch" artifact and give it its weights.

    Raises:
        ConfigurationError: the factory cannot be imported or called.
        InputError: the factory's code is not what it was when the artifact was made, or the weights do not fit it.
    """
    from safetensors import safe_open

    settle()
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()[_METADATA])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    module = build(told["factory"])
    if (code := code_digest(told["factory"])) != told["code"]:
        raise InputError(f"the code of {told['factory']} changed while it was worked on", hint="run the command again")
    give(module, weights, name=told["factory"])
    return Loaded(
        module=module.eval(),
        inputs=tuple(map(TensorSpec.from_json, told["inputs"])),
        outputs=tuple(map(TensorSpec.from_json, told["outputs"])),
        factory=told["factory"],
        code=code,
        extra=told["extra"],
    )


def save(loaded: Loaded, path: str) -> None:
    """Write a module as a "torch" artifact; the same weights give the same bytes."""
    from safetensors.torch import save as to_bytes

    told = {
        "factory": loaded.factory,
        "code": loaded.code,
        "inputs": [spec.as_json() for spec in loaded.inputs],
        "outputs": [spec.as_json() for spec in loaded.outputs],
        "extra": loaded.extra,
    }
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in state(loaded.module).items()}
    Path(path).write_bytes(to_bytes(weights, metadata={_METADATA: json.dumps(told, sort_keys=True)}))


def state(module: Any) -> dict[str, Any]:
    """The state dict's tensors; two names of one tensor both count."""
    import torch

    return {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def build(factory: str) -> Any:
    """Import and call a factory.

    Args:
        factory: `package.module:function`, called without arguments; or with `@` and a point of a search behind it (see
            `edgekit.spaces.trial.FixedTrial.text`), called with that trial.

    Raises:
        ConfigurationError: there is no such function, it fails, or it gives no module.
    """
    import torch

    module_name, _, rest = factory.partition(":")
    function_name, _, point = rest.partition("@")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as cause:
        raise ConfigurationError(
            f"there is no model factory {factory!r}: {cause}",
            hint='name a function of a module that can be imported here, as in "package.module:function"',
        ) from cause
    try:
        module = function(FixedTrial.read(point)) if point else function()
    except Exception as cause:
        raise ConfigurationError(
            f"the model factory {factory} fails: {type(cause).__name__}: {cause}{where(cause)}",
            hint="it is called without arguments (in a search: with a trial) and has to give a torch.nn.Module",
        ) from cause
    if point and isinstance(module, tuple):
        module, *_ = module  # the rest says how it is trained
    if not isinstance(module, torch.nn.Module):
        raise ConfigurationError(
            f"the model factory {factory} gives a {type(module).__name__}",
            hint="it has to give a torch.nn.Module",
        )
    return module.to("cpu").float().eval()


def give(module: Any, weights: Mapping[str, Any], *, name: str) -> None:
    """Load weights into a module, every one of them; shapes that a structured pass shrank are taken over.

    Raises:
        InputError: names or shapes do not fit.
    """
    wanted = state(module)
    missing, unknown = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or unknown:
        raise InputError(
            f"the weights do not fit {name}: {_listed('missing', missing)}{_listed('unknown', unknown)}".rstrip("; "),
            hint="give the state dict of this very model",
        )
    try:
        fit_shapes(module, weights)
        module.load_state_dict(dict(weights), strict=True)
    except (RuntimeError, ValueError) as cause:
        raise InputError(
            f"the weights do not fit {name}: {' '.join(str(cause).split())}",
            hint="give the state dict of this very model",
        ) from cause


def _listed(kind: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return f"{kind} {', '.join(names[:_SHOWN_KEYS])}{more}; "


def code_digest(factory: str) -> str:
    """SHA-256 over the user's own modules that a factory needs: its own, and what their names lead to, transitively."""
    here = Path.cwd()
    files: dict[str, str] = {}
    waiting = [factory.partition(":")[0]]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if name in files or file is None or not _is_users(Path(file).resolve(), here):
            continue
        files[name] = sha256_file(Path(file))
        for value in list(vars(module).values()):
            led_to = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            waiting += [led_to] if isinstance(led_to, str) else []
    return sha256_json(files)


def _is_users(file: Path, here: Path) -> bool:
    return file.is_relative_to(here) and "site-packages" not in file.parts and file.suffix == ".py"


def where(error: BaseException) -> str:
    """Place in the user's own code that an error came from, as " (model.py, line 12)"; nothing if there is none."""
    here = Path.cwd()
    places = [(Path(frame.filename).resolve(), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    users = [(file.relative_to(here), line) for file, line in places if _is_users(file, here)]
    return f" ({users[-1][0]}, line {users[-1][1]})" if users else ""


def example(specs: Sequence[TensorSpec], *, batch: int = 1) -> tuple[Any, ...]:
    """Inputs of the right shapes: random numbers of a fixed seed, zeros for integers (positions in a table)."""
    import torch

    generator = torch.Generator().manual_seed(0)
    tensors = []
    for spec in specs:
        shape = (batch, *spec.shape[1:])
        dtype = getattr(torch, spec.dtype)
        floats = dtype.is_floating_point
        tensors.append(
            torch.rand(shape, generator=generator, dtype=dtype) if floats else torch.zeros(shape, dtype=dtype)
        )
    return tuple(tensors)


def leaves(outputs: Any) -> list[Any]:
    """The tensors of what a module answers, in order."""
    import torch

    found = torch.utils._pytree.tree_leaves(outputs)  # noqa: SLF001 - what torch.export itself flattens by
    return [leaf for leaf in found if isinstance(leaf, torch.Tensor)]


def run_once(module: Any, inputs: Sequence[Any], *, name: str) -> list[Any]:
    """One inference.

    Raises:
        UnsupportedError: the module fails; the message has the line of the user's code.
    """
    import torch

    try:
        with torch.no_grad():
            return leaves(module(*inputs))
    except Exception as cause:
        shapes = ", ".join("x".join(map(str, tensor.shape)) for tensor in inputs)
        raise UnsupportedError(
            f"{name} fails on inputs of the shape {shapes}: {' '.join(str(cause).split())}{where(cause)}",
            hint="give samples in the shapes that the model takes (images as channels x height x width), "
            "or --input-shape",
        ) from cause
