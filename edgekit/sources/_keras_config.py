"""The configuration of a Keras model, of either generation: refused where building the model would run foreign code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError, VerificationError

_CODE_CLASSES = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"})
_BUILT_IN = frozenset({"keras", "tf_keras", "builtins"})

_TF_NAMESPACES = frozenset({"__operators__", "bitwise", "dtypes", "image", "linalg", "math", "nn", "random", "signal"})
_TF_FUNCTIONS = frozenset(
    """
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh broadcast_to cast clip_by_norm
    clip_by_value complex concat constant convert_to_tensor cos cosh cumsum divide einsum ensure_shape equal exp
    expand_dims eye fill floor gather gather_nd greater greater_equal identity less less_equal linspace logical_and
    logical_not logical_or matmul maximum meshgrid minimum multiply negative norm not_equal one_hot ones ones_like pad
    pow range rank realdiv reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod
    reduce_sum repeat reshape reverse roll round rsqrt scalar_mul searchsorted sequence_mask shape sigmoid sign sin sinh
    size slice softmax sort space_to_batch split sqrt square squeeze stack stop_gradient strided_slice subtract tan tanh
    tensordot tile transpose truediv unstack where zeros zeros_like
    """.split()  # noqa: SIM905 -- easier to read as words
)
"""What a TFOpLambda layer may call; TensorFlow has functions too that read and write files."""

_HINT = "replace it by a built-in layer, or export the model as a SavedModel where you trust it"


def parse_config(text: str | bytes, what: str, path: Path) -> Any:
    """JSON of a model file.

    Raises:
        UnsupportedError: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise UnsupportedError(f"{path.name}: {what} is not JSON: {cause}", hint="save the model again") from cause


def refuse_code(config: Any, path: Path) -> None:
    """Refuse a model whose building would run code of the file, of other modules, or open other files.

    How the model was compiled does not count, as it is loaded without its optimizer and loss.

    Raises:
        VerificationError: it would.
    """
    if isinstance(config, Mapping):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    for entry in _objects(config):
        _refuse_class(entry, path)
        _refuse_tensorflow_function(entry, path)
        _refuse_foreign_file(entry, path)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _refuse_class(entry: Mapping[str, Any], path: Path) -> None:
    class_name, module = entry.get("class_name"), entry.get("module")
    registered = entry.get("registered_name")
    for name in (class_name, registered):
        if isinstance(name, str) and _last(name) in _CODE_CLASSES:
            raise VerificationError(
                f"{path.name} holds a {_last(name)} layer, which runs code from the file when it is loaded", hint=_HINT
            )
    if not isinstance(class_name, str):
        return
    if isinstance(module, str) and module.partition(".")[0] not in _BUILT_IN:
        raise VerificationError(
            f"{path.name} wants the class {class_name} of the Python module {module!r}",
            hint="only built-in Keras layers are loaded; export the model as a SavedModel where you trust it",
        )
    package = next((name for name in (class_name, registered) if isinstance(name, str) and ">" in name), None)
    if (package and package.partition(">")[0] != "keras") or "." in class_name:
        raise VerificationError(f"{path.name} holds the custom class {package or class_name!r}", hint=_HINT)


def _last(name: str) -> str:
    """The class alone: "package>Lambda" and "module.Lambda" give "Lambda"."""
    return name.rpartition(">")[2].rpartition(".")[2]


def _refuse_tensorflow_function(entry: Mapping[str, Any], path: Path) -> None:
    """Layers of Keras 2 that call TensorFlow by name."""
    class_name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(class_name, str) or not isinstance(config, Mapping):
        return
    kind = _last(class_name)
    if kind in ("ClassMethod", "InstanceMethod", "TensorFlowOpLayer"):
        called = config.get("method_name") or config.get("node_def")
        raise VerificationError(f"{path.name} holds a {kind} layer, which calls {str(called)[:80]!r}", hint=_HINT)
    function = config.get("function")
    if kind == "TFOpLambda" and not (isinstance(function, str) and _is_harmless(function)):
        raise VerificationError(
            f"{path.name} calls the TensorFlow function {function!r}, which is none of those known as harmless",
            hint=_HINT,
        )


def _is_harmless(function: str) -> bool:
    name = function.removeprefix("compat.v1.")
    return name in _TF_FUNCTIONS or ("." in name and name.partition(".")[0] in _TF_NAMESPACES)


def _refuse_foreign_file(entry: Mapping[str, Any], path: Path) -> None:
    """A vocabulary given by its path is read when the layer is built."""
    vocabulary = entry.get("vocabulary")
    if isinstance(vocabulary, str):
        raise VerificationError(
            f"{path.name} reads the file {vocabulary!r} when it is loaded, as a vocabulary",
            hint="give the layer its words as a list, and save the model again",
        )
