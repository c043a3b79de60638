"""A program that calls the library once: where the input goes, where the output is."""

from __future__ import annotations

from edgekit.mcu.export._content import Content
from edgekit.mcu.ir import Value

_C_TYPES = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
    "float32": "float", "bool": "uint8_t",
}  # fmt: skip


def arena(content: Content) -> str:
    """The definition of the working memory."""
    return f"static uint8_t arena[{content.name.upper()}_ARENA_BYTES] __attribute__((aligned(16)));\n"


def inference(content: Content, indent: str = "  ") -> str:
    """Statements that fill each input with what stands for 0, call the model, and take each output's largest value."""
    upper, network = content.name.upper(), content.generated.network
    lines = []
    for place, value in enumerate(network.inputs):
        lines += [
            f"/* Input {place}, {value.dtype}{list(value.shape)}: your data goes here. */",
            f"{_pointer(value, f'input_{place}')} = {_address(value, f'{upper}_INPUT_{place}')};",
            f"for (uint32_t i = 0; i < {value.elements}U; ++i) {{",
            f"  input_{place}[i] = {value.zero_point if value.quantization is not None else 0};",
            "}",
        ]
    lines += [f"{content.name}_invoke(arena);"]
    for place, value in enumerate(network.outputs):
        lines += [
            f"/* Output {place}, {value.dtype}{list(value.shape)}; read it before the next input is written. */",
            f"const {_pointer(value, f'output_{place}')} = {_address(value, f'{upper}_OUTPUT_{place}')};",
            f"uint32_t best_{place} = 0;",
            f"for (uint32_t i = 1; i < {value.elements}U; ++i) {{",
            f"  if (output_{place}[i] > output_{place}[best_{place}]) {{",
            f"    best_{place} = i;",
            "  }",
            "}",
        ]
    return "".join(f"{indent}{line}\n" for line in lines)


def program(content: Content, *, results: str = "") -> str:
    """A whole `main.c`.

    Args:
        content: what is exported.
        results: statements that use the indices best_0, ...; without them they are only kept from being unused.
    """
    used = results or "".join(f"  (void)best_{place};\n" for place in range(len(content.generated.network.outputs)))
    return (
        f'/* One inference of {content.name}. */\n#include "{content.name}.h"\n\n{arena(content)}\n'
        f"int main(void) {{\n  {content.name}_reset(arena);\n{inference(content)}{used}  return 0;\n}}\n"
    )


def _pointer(value: Value, name: str) -> str:
    return f"{_C_TYPES[value.dtype]} *{name}"


def _address(value: Value, prefix: str) -> str:
    return f"({_C_TYPES[value.dtype]} *)(void *)(arena + {prefix}_OFFSET)"
