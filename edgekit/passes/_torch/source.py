"""From a user's factory and weights to a "torch" artifact."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InputError, UnsupportedError, VerificationError
from edgekit.passes._torch.facts import module_facts
from edgekit.passes._torch.loading import Loaded, build, code_digest, give, run_once, save
from edgekit.passes._torch.settings import settle

_WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep a state dict beside an optimizer's."""


def read_weights(path: str, shown: str, output: str) -> None:
    """Turn a file of weights into safetensors; nothing of it is ever run.

    Args:
        path: safetensors, or a state dict as `torch.save` writes it.
        shown: the user's own path, for messages.
        output: the file to write.

    Raises:
        VerificationError: it holds a pickle with more than tensors and plain values in it.
        UnsupportedError: it is damaged, or no file of weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    file = Path(path)
    with file.open("rb") as stream:
        head = stream.read(9)
    if head[8:9] == b"{":
        try:
            weights = load_file(path)
            _refuse_twins(file)
        except (SafetensorError, ValueError) as cause:
            raise UnsupportedError(f"{shown} is damaged: {cause}", hint="export the weights again") from cause
    else:
        weights = _state_dict(file, shown)
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}, output)


def _refuse_twins(file: Path) -> None:
    """Of two tensors with one name a reader takes the last, or the first.

    Args:
        file: safetensors, whose header is as long as it says.

    Raises:
        ValueError: there are two.
    """

    def unique(pairs: list[tuple[str, Any]]) -> None:
        name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 1)
        if count > 1:
            raise ValueError(f"{name!r} is there {count} times")

    with file.open("rb") as stream:
        json.loads(stream.read(int.from_bytes(stream.read(8), "little")), object_pairs_hook=unique)


def _state_dict(file: Path, shown: str) -> dict[str, Any]:
    import torch

    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise UnsupportedError(
                    f"{shown} is a TorchScript program, not weights", hint="give model.state_dict() as safetensors"
                )
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as cause:
        raise VerificationError(
            f"{shown} holds a pickle with more in it than weights, which could run any code",
            hint="save model.state_dict() alone, best as safetensors",
        ) from cause
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError) as cause:
        raise UnsupportedError(
            f"{shown} is no file of weights: {' '.join(str(cause).split())[:200]}",
            hint="give safetensors, or what torch.save(model.state_dict(), FILE) writes",
        ) from cause
    for candidate in (content, *(content.get(key) for key in _WRAPPERS if isinstance(content, Mapping))):
        if _is_state_dict(candidate):
            return dict(candidate)
    raise UnsupportedError(f"{shown} holds no state dict", hint="save model.state_dict() alone, best as safetensors")


def _is_state_dict(content: Any) -> bool:
    import torch

    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items())
    )


def make(
    factory: str,
    weights: str | None,
    shown: str,
    shapes: Sequence[Sequence[int]],
    dtypes: Sequence[str],
    output: str,
    seed: int = 0,
) -> dict[str, Any]:
    """Build the user's module, try it, and write it as a "torch" artifact.

    Args:
        factory: `package.module:function`.
        weights: safetensors; None keeps what the factory gives.
        shown: the user's own path of the weights, for messages.
        shapes: of one sample, one an input; a channel axis that a model of images wants may be missing.
        dtypes: NumPy's names, one an input.
        output: the file to write.
        seed: of the weights that the factory gives.

    Returns:
        The artifact's signature, facts and warnings, JSON.

    Raises:
        ConfigurationError: the factory cannot be called.
        InputError: weights and module do not fit.
        UnsupportedError: the module does not take such samples, or answers with something else than tensors.
    """
    from safetensors.torch import load_file

    settle(seed)
    module = build(factory)
    warnings = []
    if weights is None:
        warnings.append(f"no --weights: those that {factory} comes with are taken")
    else:
        give(module, load_file(weights), name=f"{factory} ({shown})")
    inputs, outputs = _tried(module, factory, [tuple(shape) for shape in shapes], dtypes)
    loaded = Loaded(module=module, inputs=inputs, outputs=outputs, factory=factory, code=code_digest(factory))
    save(loaded, output)
    return {
        "inputs": [spec.as_json() for spec in inputs],
        "outputs": [spec.as_json() for spec in outputs],
        "facts": module_facts(loaded),
        "warnings": warnings,
    }


def _tried(
    module: Any, factory: str, shapes: list[tuple[int, ...]], dtypes: Sequence[str]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The signature that an inference shows; images without a channel axis get one where the module asks for it."""
    try:
        return _signature(module, factory, shapes, dtypes)
    except UnsupportedError:
        if len(shapes) != 1 or len(shapes[0]) != 2:
            raise
        try:
            return _signature(module, factory, [(1, *shapes[0])], dtypes)
        except UnsupportedError:
            pass
        raise


def _signature(
    module: Any, factory: str, shapes: list[tuple[int, ...]], dtypes: Sequence[str]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    import torch

    names = _argument_names(module, len(shapes))
    examples = [
        torch.zeros((2, *shape), dtype=getattr(torch, dtype)) for shape, dtype in zip(shapes, dtypes, strict=True)
    ]
    answers = run_once(module, examples, name=factory)
    if not answers or any(answer.dim() == 0 or answer.shape[0] != 2 for answer in answers):
        found = ", ".join(str(list(answer.shape)) for answer in answers) or "no tensor"
        raise UnsupportedError(
            f"{factory} answers to two samples with {found}", hint="its outputs need the batch as their first axis"
        )
    inputs = tuple(
        TensorSpec(name=name, shape=(-1, *shape), dtype=dtype)
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True)
    )
    outputs = tuple(
        TensorSpec(
            name="output" if len(answers) == 1 else f"output_{index}",
            shape=(-1, *answer.shape[1:]),
            dtype=str(answer.dtype).removeprefix("torch."),
        )
        for index, answer in enumerate(answers)
    )
    return inputs, outputs


def _argument_names(module: Any, count: int) -> list[str]:
    """Names of forward's positional arguments, as torch.export and people know the inputs."""
    import inspect

    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, each in inspect.signature(module.forward).parameters.items() if each.kind in kinds]
    if len(names) < count:
        raise InputError(
            f"each sample has {count} inputs, and the model's forward takes {len(names)}",
            hint="give data with one array an input",
        )
    return names[:count]
