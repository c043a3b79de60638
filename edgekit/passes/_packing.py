"""Make a .tflite smaller without touching a number: what no runtime reads goes, what is held twice is held once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.core.errors import InternalError
from edgekit.passes._flatbuffer_edit import unpack


def convert(source: str, output: str, keep_signature: bool) -> list[str]:
    """Write the packed model and compare the answers of both.

    Args:
        source, output: .tflite files.
        keep_signature: keep the names by which signature runners know inputs and outputs.

    Returns:
        Notes for the user.

    Raises:
        InternalError: the packed model answers otherwise.
    """
    data = Path(source).read_bytes()
    packed = stripped(data, keep_signature=keep_signature)
    if _answers(data) != _answers(packed):
        raise InternalError("the packed model answers otherwise", hint="leave out the pass pack, and report the model")
    Path(output).write_bytes(packed)
    return [f"{len(data):,} bytes became {len(packed):,}, and the answers stay the same bit for bit"]


def stripped(data: bytes, *, keep_signature: bool) -> bytes:
    """The model without names of inner tensors, descriptions, metadata, unused entries and equal buffers."""
    model = unpack(data)
    model.description = model.metadata = model.metadataBuffer = None
    if not keep_signature:
        model.signatureDefs = None
    for graph in model.subgraphs:
        graph.name = None
        outside = {*map(int, graph.inputs), *map(int, graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            _strip_tensor(tensor, is_outside=index in outside)
    _keep_used_codes(model)
    _share_buffers(model)
    return _written(model)


def _strip_tensor(tensor: Any, *, is_outside: bool) -> None:
    if not is_outside:
        tensor.name = None
    signature = tensor.shapeSignature
    if signature is None or all(size >= 0 for size in signature):
        tensor.shapeSignature = None
    if (quantization := tensor.quantization) is None:
        return
    quantization.min = quantization.max = None  # what calibration saw: scale and zero point say all
    if quantization.scale is None and not quantization.detailsType:
        tensor.quantization = None


def _keep_used_codes(model: Any) -> None:
    used = sorted({operator.opcodeIndex for graph in model.subgraphs for operator in graph.operators})
    places = {old: new for new, old in enumerate(used)}
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for graph in model.subgraphs:
        for operator in graph.operators:
            operator.opcodeIndex = places[operator.opcodeIndex]


def _share_buffers(model: Any) -> None:
    """One buffer for equal constants; tensors without values share buffer 0. Buffers of one size stand together."""
    contents = [b"" if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    used = sorted({contents[tensor.buffer] for tensor in tensors} - {b""}, key=lambda each: (len(each), each))
    places = {b"": 0, **{content: place for place, content in enumerate(used, start=1)}}
    by_content = {contents[index]: buffer for index, buffer in reversed(list(enumerate(model.buffers)))}
    for tensor in tensors:
        tensor.buffer = places[contents[tensor.buffer]]
    model.buffers = [model.buffers[0], *(by_content[content] for content in used)]


def _written(model: Any) -> bytes:
    """The bytes of the tree, equal vectors and strings written once (shapes, zero points, scales)."""
    import flatbuffers
    import numpy as np

    class Sharing(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
        def __init__(self) -> None:
            super().__init__(1024 * 1024)
            self._places: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, values: Any) -> int:  # noqa: N802 - flatbuffers' name
            key = (values.dtype.str, values.tobytes())
            if key not in self._places:
                self._places[key] = int(super().CreateNumpyVector(values))
            return self._places[key]

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.shape is not None:
                tensor.shape = np.asarray(tensor.shape, np.int32)
            if (quantization := tensor.quantization) is not None and quantization.scale is not None:
                quantization.scale = np.asarray(quantization.scale, np.float32)
                quantization.zeroPoint = np.asarray(quantization.zeroPoint, np.int64)
    builder = Sharing()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _answers(data: bytes) -> list[bytes]:
    """What a model answers to three fixed inputs."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    answers = []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        for detail in interpreter.get_input_details():
            drawn = generator.integers(0, 2, detail["shape"]) if seed == 0 else generator.normal(size=detail["shape"])
            if seed and np.dtype(detail["dtype"]).kind in "iu":
                drawn = generator.integers(0, 100, detail["shape"])
            interpreter.set_tensor(detail["index"], drawn.astype(detail["dtype"]))
        interpreter.invoke()
        answers += [interpreter.get_tensor(detail["index"]).tobytes() for detail in interpreter.get_output_details()]
    return answers
