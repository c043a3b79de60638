"""For TensorFlow Lite for Microcontrollers: the model as an aligned array, and a resolver of exactly its operators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edgekit.core.errors import UnsupportedError
from edgekit.core.tflite.accelerators import MCU_OPS
from edgekit.core.tflite.model import parse_model

_IRREGULAR = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
"""Methods of MicroMutableOpResolver that are not the operator's name in camel case (micro_mutable_op_resolver.h)."""
_NEWER = frozenset({"BATCH_MATMUL"})  # ops that the pinned interpreter has and `MCU_OPS`, which is older, has not
_A_LINE = 16


def files(model: bytes, *, name: str, origin: str, digest: str, arena_bytes: int, interpreter: str) -> dict[str, str]:
    """`<name>_data.h`, `<name>_data.cc`, `<name>_ops.h`, `main.cc`, `README.md`.

    Args:
        model: the .tflite.
        name: a C identifier.
        origin: file name of the model.
        digest: its SHA-256, 64 hex digits.
        arena_bytes: the smallest arena that the interpreter accepts.
        interpreter: what measured it, with its version.

    Raises:
        UnsupportedError: an operator that TFLM's resolver has no method for.
    """
    methods = [_method(op) for op in operators(model)]
    arena = -(-arena_bytes // 16) * 16
    upper = name.upper()
    data = "".join(_lines(model))
    return {
        f"{name}_data.h": (
            f"/* {origin}, SHA-256 {digest} */\n#ifndef {upper}_DATA_H\n#define {upper}_DATA_H\n\n"
            f"extern const unsigned char {name}_data[];\nconstexpr unsigned int {name}_data_size = {len(model)};\n\n"
            f"/* {interpreter} needs {arena_bytes} bytes on a computer of 64 bits; 32 bits need less. */\n"
            f"constexpr unsigned int {name}_arena_size = {arena};\n\n#endif\n"
        ),
        f"{name}_data.cc": (
            f'#include "{name}_data.h"\n\nalignas(16) const unsigned char {name}_data[] = {{\n{data}}};\n'
        ),
        f"{name}_ops.h": _resolver(name, upper, methods),
        "main.cc": _main(name),
        "README.md": _readme(name, origin, digest, arena_bytes, interpreter, methods),
    }


def operators(model: bytes) -> list[str]:
    """The operators of all graphs, each once, sorted.

    Raises:
        UnsupportedError: one that TFLM does not have.
    """
    found = {(operator.name, operator.is_custom) for graph in parse_model(model).graphs for operator in graph.operators}
    unknown = sorted(op for op, is_custom in found if is_custom or op not in MCU_OPS | _NEWER)
    if unknown:
        raise UnsupportedError(
            f"TensorFlow Lite for Microcontrollers does not have {', '.join(unknown)}",
            hint="edgekit inspect MODEL says what each runtime takes",
            ops=unknown,
        )
    return sorted(op for op, _ in found)


def _method(op: str) -> str:
    words = (word if re.fullmatch(r"\dD", word) else word.capitalize() for word in op.split("_"))
    return "Add" + _IRREGULAR.get(op, "".join(words))


def _lines(model: bytes) -> Iterator[str]:
    for at in range(0, len(model), _A_LINE):
        yield "  " + " ".join(f"0x{byte:02x}," for byte in model[at : at + _A_LINE]) + "\n"


def _resolver(name: str, upper: str, methods: Sequence[str]) -> str:
    adds = " ||\n      ".join(f"resolver->{method}() != kTfLiteOk" for method in methods) or "false"
    return (
        f"#ifndef {upper}_OPS_H\n#define {upper}_OPS_H\n\n"
        '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n\n'
        f"using {name}_resolver = tflite::MicroMutableOpResolver<{len(methods)}>;\n\n"
        f"inline TfLiteStatus {name}_add_ops({name}_resolver *resolver) {{\n"
        f"  if ({adds}) {{\n    return kTfLiteError;\n  }}\n  return kTfLiteOk;\n}}\n\n#endif\n"
    )


def _main(name: str) -> str:
    return (
        f'/* One inference of {name} with TensorFlow Lite for Microcontrollers. */\n#include "{name}_data.h"\n'
        f'#include "{name}_ops.h"\n#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        '#include "tensorflow/lite/schema/schema_generated.h"\n\n'
        f"alignas(16) static uint8_t arena[{name}_arena_size];\n\n"
        f"int main() {{\n  {name}_resolver resolver;\n"
        f"  if ({name}_add_ops(&resolver) != kTfLiteOk) {{\n    return 1;\n  }}\n"
        f"  tflite::MicroInterpreter interpreter(tflite::GetModel({name}_data), resolver, arena, {name}_arena_size);\n"
        "  if (interpreter.AllocateTensors() != kTfLiteOk) {\n    return 2;\n  }\n"
        "  /* interpreter.input(0)->data: your data goes here; interpreter.output(0)->data is the answer. */\n"
        "  return interpreter.Invoke() == kTfLiteOk ? 0 : 3;\n}\n"
    )


def _readme(name: str, origin: str, digest: str, arena_bytes: int, interpreter: str, methods: Sequence[str]) -> str:
    listed = ", ".join(f"`{method}`" for method in methods)
    return (
        f"# {name}\n\n{origin} for TensorFlow Lite for Microcontrollers; SHA-256 `{digest}`.\n\n"
        f"- `{name}_data.cc`, `{name}_data.h`: the model as an array, aligned to 16 bytes, and the arena's size\n"
        f"- `{name}_ops.h`: a resolver of its operators and no others: {listed}\n- `main.cc`: an example\n\n"
        f"The arena: {interpreter} accepts {arena_bytes:,} bytes and no less, measured on a computer of 64 bits. The\n"
        "activations are the same on 32 bits, the interpreter's own structures are smaller there.\n"
    )
