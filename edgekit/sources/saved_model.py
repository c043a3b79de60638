"""TensorFlow SavedModel folders; graphs that read or write files or call Python are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError, VerificationError
from edgekit.sources._base import Signature, Source

_FILE_OR_CODE_OPS = frozenset(
    """
    ReadFile WriteFile MatchingFiles PyFunc PyFuncStateless EagerPyFunc ImmutableConst WholeFileReader WholeFileReaderV2
    TextLineReader TextLineReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2 TFRecordReader TFRecordReaderV2
    TextLineDataset FixedLengthRecordDataset FixedLengthRecordDatasetV2 TFRecordDataset TFRecordDatasetV2 SqlDataset
    CSVDataset CSVDatasetV2 MatchingFilesDataset SaveDataset SaveDatasetV2 LoadDataset DebugIdentityV2 DebugIdentityV3
    CreateSummaryFileWriter CreateSummaryDbWriter Save SaveSlices SnapshotDataset SnapshotDatasetV2
    """.split()  # noqa: SIM905 -- easier to read as words
)
_CHECKPOINT_OPS = frozenset({"SaveV2", "MergeV2Checkpoints"})
"""Every SavedModel holds them, to save its variables again; a harmless one runs them neither on load nor in a call."""

SIGNATURE = "serving_default"
_TAGS = {"serve"}


class SavedModel(Source):
    """A folder with saved_model.pb and variables/."""

    format = "saved_model"

    def matches(self, path: Path) -> bool:
        """The folder holds saved_model.pb."""
        return path.is_dir() and (path / "saved_model.pb").is_file()

    def _load(self, path: Path) -> Signature:
        from google.protobuf.message import DecodeError
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Message

        message = Message()
        try:
            message.ParseFromString((path / "saved_model.pb").read_bytes())
        except DecodeError as cause:
            raise UnsupportedError(
                f"{path.name}/saved_model.pb is damaged: {cause}", hint="export the model again"
            ) from cause
        unsafe = sorted(set().union(*map(_unsafe_ops, message.meta_graphs)))
        if unsafe:
            raise VerificationError(
                f"{path.name} would touch files or run Python: it holds the ops {', '.join(unsafe)}",
                hint="export the model without input pipelines and Python functions",
            )
        graph = next((graph for graph in message.meta_graphs if set(graph.meta_info_def.tags) == _TAGS), None)
        if graph is None:
            raise UnsupportedError(f"{path.name}/saved_model.pb holds no graph to serve", hint="export the model again")
        if SIGNATURE not in graph.signature_def:
            known = ", ".join(sorted(graph.signature_def)) or "none"
            raise UnsupportedError(
                f"{path.name} has no signature {SIGNATURE!r}; it has {known}",
                hint="export it with model.export(folder)",
            )
        signature = graph.signature_def[SIGNATURE]
        return Signature(inputs=_specs(signature.inputs), outputs=_specs(signature.outputs))


def _unsafe_ops(graph: Any) -> set[str]:
    """Ops that touch files or run code, wherever they stand, and those that save where something runs them."""
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    everywhere = {node.op for nodes in (graph.graph_def.node, *functions.values()) for node in nodes}
    return everywhere & _FILE_OR_CODE_OPS | _ops_that_run(graph, functions) & _CHECKPOINT_OPS


def _ops_that_run(graph: Any, functions: Mapping[str, Any]) -> set[str]:
    """Ops behind the signatures, the initialisation and the restoring of variables, with the functions they call."""
    nodes = {node.name: node for node in graph.graph_def.node}
    outputs = [tensor.name for signature in graph.signature_def.values() for tensor in signature.outputs.values()]
    starts = [name for collection in graph.collection_def.values() for name in collection.node_list.value]
    seen = set(map(_node_name, [*outputs, *starts, graph.saver_def.restore_op_name])) & nodes.keys()
    todo = [nodes[name] for name in seen]
    called, ops = set[str](), set[str]()
    while todo:
        node = todo.pop()
        ops.add(node.op)
        in_graph = nodes.get(node.name) is node  # a function's names are its own
        for name in set(map(_node_name, node.input if in_graph else ())) & nodes.keys() - seen:
            seen.add(name)
            todo.append(nodes[name])
        for name in _functions_of(node) & functions.keys() - called:
            called.add(name)
            todo += functions[name]
    return ops


def _functions_of(node: Any) -> set[str]:
    names = {node.op}
    for value in node.attr.values():
        names |= {value.func.name, *(function.name for function in value.list.func)}
    return names


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    from tensorflow import as_dtype

    return tuple(
        TensorSpec(
            name=name,
            shape=tuple(int(axis.size) for axis in info.tensor_shape.dim),
            dtype=as_dtype(info.dtype).name,
        )
        for name, info in sorted(tensors.items())
    )


SOURCE = SavedModel()
