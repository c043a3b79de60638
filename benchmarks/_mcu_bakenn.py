"""bakenn, the peer: its C for a model, plain or with CMSIS-NN, in edgekit's harness and with edgekit's flags.

Its importer refuses all four models as they are, so `accepted` rewrites them: no open batch in the signatures, options
on RESHAPE, and no SOFTMAX at the end. What is left computes the same, and the oracle is asked about that very file.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgekit.core.firmware import Image
from edgekit.core.target import Board
from edgekit.core.tflite.model import IDENTIFIER
from edgekit.mcu.link import link_image
from edgekit.mcu.toolchain import find_toolchain

REMEDY = ".venv/bin/python -m pip install --group bench"
_NAME = "peer"
_BUFFER_BYTES = 1 << 20
_INCLUDES = ("cmsis_nn", "cmsis_core")
_SIZES = re.compile(r"#define BKNN_PEER_(?:ARENA_SIZE|INPUT_BYTES|OUTPUT_BYTES) (\d+)u")
_HEADERS = {
    # Freestanding compilers bring neither; CMSIS-NN includes both, and calls these functions.
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *restrict, const void *restrict, size_t);\n"
    "void *memset(void *, int, size_t);\n",
    "math.h": "",
}
_WRAPPER = """
#include "c/bknn_peer.h"
void peer_invoke(void *arena);
void peer_reset(void *arena);
void peer_invoke(void *arena) {
  int8_t *const input = (int8_t *)arena + BKNN_PEER_ARENA_SIZE;
  bknn_peer_infer(arena, input, input + BKNN_PEER_INPUT_BYTES);
}
void peer_reset(void *arena) { (void)arena; }
"""
_BINDING = """
#include "c/bknn_peer.h"
#define EDGEKIT_ARENA_BYTES (BKNN_PEER_ARENA_SIZE + BKNN_PEER_INPUT_BYTES + BKNN_PEER_OUTPUT_BYTES)
#define EDGEKIT_INPUTS {{BKNN_PEER_ARENA_SIZE, BKNN_PEER_INPUT_BYTES}}
#define EDGEKIT_INPUT_COUNT 1
#define EDGEKIT_OUTPUTS {{BKNN_PEER_ARENA_SIZE + BKNN_PEER_INPUT_BYTES, BKNN_PEER_OUTPUT_BYTES}}
#define EDGEKIT_OUTPUT_COUNT 1
#define EDGEKIT_INVOKE peer_invoke
#define EDGEKIT_RESET peer_reset
void peer_invoke(void *arena);
void peer_reset(void *arena);
"""


def installed() -> str | None:
    """Its version, None where it is not there."""
    try:
        return version("bakenn")
    except PackageNotFoundError:
        return None


def accepted(model: bytes) -> bytes:
    """A .tflite that its importer takes."""
    import flatbuffers
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    (graph,) = tree.subgraphs

    def kind(operator: object) -> int:
        code = tree.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    for tensor in graph.tensors:
        tensor.shapeSignature = None
    tree.signatureDefs = None
    last = graph.operators[-1]
    if kind(last) == schema.BuiltinOperator.SOFTMAX:
        graph.operators = graph.operators[:-1]
        graph.outputs = [last.inputs[0]]
    for operator in graph.operators:
        if kind(operator) == schema.BuiltinOperator.RESHAPE and operator.builtinOptions is None:
            operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
            operator.builtinOptions = schema.ReshapeOptionsT()
            operator.builtinOptions.newShape = list(graph.tensors[operator.outputs[0]].shape)
    builder = flatbuffers.Builder(_BUFFER_BYTES)
    builder.Finish(tree.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def build(model: bytes, folder: Path, board: Board, *, cmsis_nn: bool) -> Image:
    """Generate, compile with gcc and link.

    Args:
        model: what `accepted` returned.
        folder: empty; what is made on the way is written there.
        board: a Cortex-M4.
        cmsis_nn: take CMSIS-NN's kernels for what they compute, else bakenn's own.

    Raises:
        EdgekitError: there is no gcc, or it refuses the C.
    """
    import bakenn

    policy = {"kernel_policy": bakenn.KernelPolicy.STATIC_PRIORITY, "enable_cmsis_nn": True} if cmsis_nn else {}
    options = bakenn.CBackendOptions(target=bakenn.CORTEX_M4, **policy)
    bakenn.compile_tflite(model, folder / "c", name=_NAME, backend_options=options)
    for name, text in {**_HEADERS, "wrapper.c": _WRAPPER, "edgekit_binding.h": _BINDING}.items():
        (folder / name).write_text(text, encoding="utf-8")
    tools = find_toolchain("gcc")
    includes = [folder, folder / "c", *(folder / "c" / "third_party" / name / "Include" for name in _INCLUDES)]
    flags = tools.flags(board, "speed")
    needs = ("-DBAKENN_CMSIS_NN_BUILTIN_MEMORY", *(f"-I{path}" for path in includes))
    objects = []
    for source in [folder / "wrapper.c", *sorted((folder / "c").rglob("*.c"))]:
        objects.append(folder / f"{source.stem}.o")
        tools.compile(source, objects[-1], (*flags, *needs))
    header = (folder / "c" / "bknn_peer.h").read_text(encoding="utf-8")
    return link_image(
        objects,
        folder,
        board,
        folder / "peer.elf",
        name=_NAME,
        arena_bytes=sum(map(int, _SIZES.findall(header))),
        tools=tools,
        flags=flags,
        target="the board",
    )
