"""TensorFlow SavedModel folders; graphs that read or write files or call Python are refused."""

from __future__ import annotations

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
SIGNATURE = "serving_default"


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
        if not message.meta_graphs:
            raise UnsupportedError(f"{path.name}/saved_model.pb holds no graph", hint="export the model again")
        graph = message.meta_graphs[0]
        nodes = [
            *graph.graph_def.node,
            *(node for function in graph.graph_def.library.function for node in function.node_def),
        ]
        unsafe = sorted({node.op for node in nodes} & _FILE_OR_CODE_OPS)
        if unsafe:
            raise VerificationError(
                f"{path.name} would touch files or run Python: it holds the ops {', '.join(unsafe)}",
                hint="export the model without input pipelines and Python functions",
            )
        if SIGNATURE not in graph.signature_def:
            known = ", ".join(sorted(graph.signature_def)) or "none"
            raise UnsupportedError(
                f"{path.name} has no signature {SIGNATURE!r}; it has {known}",
                hint="export it with model.export(folder)",
            )
        signature = graph.signature_def[SIGNATURE]
        return Signature(inputs=_specs(signature.inputs), outputs=_specs(signature.outputs))


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
