"""Programs of torch.export (.pt2), read without torch and without running anything that stands in them.

`torch.export.load` trusts its file: it unpickles weights, custom objects and sample inputs, loads compiled libraries,
evaluates shapes by SymPy and guards by `exec`, looks operators up by any dotted name below `torch`, and pastes names
into Python that it runs (torch 2.13: export/pt2_archive/_package.py, _export/serde/serialize.py, export/_unlift.py,
fx/graph.py). So a file is judged by what it says, and torch gets a copy that holds nothing else: the graph and raw
tensors, without sample inputs and guards.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError, VerificationError

SCHEMA = 8
"""The major version of the serialized graph that torch 2.13 reads: torch/_export/serde/schema.py, SCHEMA_VERSION."""

_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    12: "bool", 13: "bfloat16",
}  # fmt: skip
_FORMAT = "archive_format"
_GRAPH = "models/model.json"
_SAMPLES = "data/sample_inputs/model.pt"
_CONFIGS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
_COPIED = (_FORMAT, "archive_version", "byteorder", ".data/version", _GRAPH, *_CONFIGS.values())
_OLD_GRAPH = "serialized_exported_program.json"
_MAX_JSON_BYTES = 256 * 2**20

_TARGET = re.compile(
    r"torch\.ops\.(?:aten|prims|quantized_decomposed|torchao|torchvision)\.(?P<name>(?!__)\w+)\.(?!__)\w+"
    r"|torch\.ops\.higher_order\.(?:cond|map_impl|scan|while_loop|wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(?:trunc|ceil|floor)"
    r"|torch\.sym_(?:int|float|ite|max|min|not|sum|sqrt)"
)
_FILE_OPERATORS = {"from_file", "save", "load"}
_EXPRESSION = re.compile(
    r"(?:Symbol\('[a-z]{1,2}\d+'(?:, [a-z]+=(?:True|False))*\)|Integer\(-?\d+\)|\d+|[a-z]{1,2}\d+"
    r"|Add|Mul|FloorDiv|CeilDiv|CleanDiv|PythonMod|Mod|Max|Min|ModularIndexing|[-+(), ]|\*(?!\*))+"
)
"""Sizes as SymPy writes them, without powers: a few of them fill any memory."""

_NAME = re.compile(r"[\w.]*")
_STACK = re.compile(r"[\w.,;@ ]*")
_TREE = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
_SAVE_AGAIN = "save it again: torch.export.save(torch.export.export(model, inputs), FILE), by PyTorch 2.9 or newer"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that was found to run nothing but a graph of known operators.

    Attributes:
        inputs, outputs: its signature; -1 for an axis that is open.
        torch_version: of the PyTorch that wrote it.
        copy: an archive for `torch.export.load` that holds what was checked and nothing else.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    torch_version: str
    copy: bytes


def is_program(names: Iterable[str]) -> bool:
    """Whether the members of a zip archive are those of a torch.export program, of any version."""
    below_root = {name.partition("/")[2] for name in names}
    return _OLD_GRAPH in names or (
        _FORMAT in below_root and any(name.startswith(("models/", "data/aotinductor/")) for name in below_root)
    )


def read_program(path: Path) -> Program:
    """Read and check a program.

    Raises:
        VerificationError: loading it would run code.
        UnsupportedError: it is damaged, or of a version that nothing here reads.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _program(archive, path.name)
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise UnsupportedError(f"{path.name} is a damaged torch.export program: {cause}", hint=_SAVE_AGAIN) from cause


def _program(archive: zipfile.ZipFile, name: str) -> Program:
    names = archive.namelist()
    if _OLD_GRAPH in names:
        raise _pickled(name, "its weights are pickles, as PyTorch 2.7 and older wrote them")
    root = next(each for each in names if each.endswith(f"/{_FORMAT}")).removesuffix(_FORMAT)
    members = {each.removeprefix(root) for each in names}
    if any(each.startswith("data/aotinductor/") for each in members):
        raise VerificationError(f"{name} holds compiled code, which runs when it is loaded", hint=_SAVE_AGAIN)
    if _GRAPH not in members:
        raise UnsupportedError(f"{name} holds no program named 'model'", hint=_SAVE_AGAIN)
    if legacy := {f"{folder}model.pt" for folder in _CONFIGS} & members:
        raise _pickled(name, f"{min(legacy)} is a pickle, as PyTorch 2.8 and older wrote weights")
    graph = _json(archive, root + _GRAPH)
    _check_version(graph, name)
    files = {each: archive.read(root + each) for each in _COPIED if each in members}
    for folder, config in _CONFIGS.items():
        for fqn, payload in _json(archive, root + config)["config"].items():
            file = payload["path_name"]
            if payload["use_pickle"] or not re.fullmatch(r"(?:weight|tensor)_\d+", file):
                raise _pickled(name, f"{fqn!r} is stored as a pickle")
            data = archive.read(f"{root}{folder}{file}")
            if not data and all(size["as_int"] for size in payload["tensor_meta"]["sizes"]):
                raise UnsupportedError(f"{name} is damaged: {fqn!r} has no bytes", hint=_SAVE_AGAIN)
            files[folder + file] = data
        _check(_json(archive, root + config), name)
    inputs, outputs = _signature(graph["graph_module"], name)
    graph["guards_code"] = []
    _check(graph, name)
    files[_GRAPH] = json.dumps(graph).encode()
    files[_SAMPLES] = b""
    return Program(
        inputs=inputs, outputs=outputs, torch_version=str(graph.get("torch_version", "?")), copy=_packed(files)
    )


def _json(archive: zipfile.ZipFile, member: str) -> Any:
    if archive.getinfo(member).file_size > _MAX_JSON_BYTES:
        raise ValueError(f"{member} is larger than {_MAX_JSON_BYTES >> 20} MiB")
    return json.loads(archive.read(member))


def _pickled(name: str, what: str) -> VerificationError:
    return VerificationError(f"{name}: {what}, which can run any code when it is loaded", hint=_SAVE_AGAIN)


def _check_version(graph: Mapping[str, Any], name: str) -> None:
    version = graph["schema_version"]
    if version["major"] != SCHEMA:
        raise UnsupportedError(
            f"{name} was saved by PyTorch {graph.get('torch_version', '?')} with schema "
            f"{version['major']}.{version['minor']}; edgekit reads schema {SCHEMA}",
            hint="export the model with PyTorch 2.13, or give its function: module:function --weights FILE",
        )


def _check(value: Any, name: str, key: str = "") -> None:
    """Go through the JSON: every text is a name, an operator that only computes, or an expression of sizes.

    Args:
        value: a part of it; metadata that would become Python text is taken out of it.
        name: of the file.
        key: of the object's member that the value is.

    Raises:
        VerificationError: a text is none of these.
    """
    if isinstance(value, dict):
        if key == "metadata":
            kept = {each: value[each] for each in ("nn_module_stack", "torch_fn") if each in value}
            value.clear()
            value.update({each: text for each, text in kept.items() if _STACK.fullmatch(text)})
            return
        for each, inner in value.items():
            if not _NAME.fullmatch(each):
                raise _strange(name, each)
            _check(inner, name, each)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, name, key)
    elif isinstance(value, str):
        _check_text(value, name, key)


def _check_text(text: str, name: str, key: str) -> None:
    if key in ("as_string", "as_strings", "torch_version"):  # arguments stand in the code as quoted texts
        return
    if key in ("target", "as_operator"):
        found = _TARGET.fullmatch(text)
        is_fine = found is not None and found["name"] not in _FILE_OPERATORS
    elif key == "expr_str":
        is_fine = _EXPRESSION.fullmatch(text) is not None
    elif key in ("in_spec", "out_spec"):
        is_fine = text == "" or all(map(_is_plain_tree, json.loads(text)[1:]))
    else:
        is_fine = _NAME.fullmatch(text) is not None
    if not is_fine:
        raise _strange(name, text)


def _is_plain_tree(tree: Any) -> bool:
    """Whether a structure of inputs or outputs is of Python's own containers, with plain names as keys."""
    context = json.loads(tree["context"]) if tree["type"] is not None else None
    keys = context if isinstance(context, list) else [context]
    return (
        tree["type"] in _TREE
        and all(each is None or (isinstance(each, str) and _NAME.fullmatch(each) is not None) for each in keys)
        and all(map(_is_plain_tree, tree["children_spec"]))
    )


def _strange(name: str, text: str) -> VerificationError:
    return VerificationError(
        f"{name} names {text[:80]!r}, which is no operator that only computes, and no plain name",
        hint="export the model with operators of PyTorch's own, or do not use this file",
    )


def _signature(module: Mapping[str, Any], name: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    values = module["graph"]["tensor_values"]

    def spec(argument: Mapping[str, Any], kind: str) -> TensorSpec:
        if "as_tensor" not in argument:
            raise UnsupportedError(
                f"{name} has an {kind} that is no tensor: {', '.join(argument)}",
                hint="export a module that takes and gives tensors only",
            )
        tensor = argument["as_tensor"]["name"]
        meta = values[tensor]
        if meta["dtype"] not in _DTYPES:
            raise UnsupportedError(
                f"{name}: {kind} {tensor!r} has a type that NumPy lacks", hint="export the model in float32"
            )
        shape = tuple(int(size.get("as_int", -1)) for size in meta["sizes"])
        return TensorSpec(name=tensor, shape=shape, dtype=_DTYPES[meta["dtype"]])

    signature = module["signature"]
    found = [
        tuple(spec(each[key]["arg"], kind) for each in signature[side] if key in each)
        for side, key, kind in (
            ("input_specs", "user_input", "input"),
            ("output_specs", "user_output", "output"),
        )
    ]
    _check_shapes(found[0], name)
    return found[0], found[1]


def _check_shapes(inputs: tuple[TensorSpec, ...], name: str) -> None:
    """Devices take one sample of one size at a time."""
    for spec in inputs:
        if (axis := next((axis for axis, size in enumerate(spec.shape) if size == -1 and axis), None)) is not None:
            raise UnsupportedError(
                f"{name}: axis {axis} of input {spec.name!r} is open: {list(spec.shape)}",
                hint="export it with fixed sizes; only the batch, axis 0, may be open",
            )
        if spec.shape and spec.shape[0] not in (-1, 1):
            raise UnsupportedError(
                f"{name}: input {spec.name!r} takes {spec.shape[0]} samples at once: {list(spec.shape)}",
                hint="export it with one sample, or with an open batch: dynamic_shapes=({0: Dim('batch', min=1)},)",
            )


def _packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"model/{name}", data)
    return buffer.getvalue()
