"""ExecuTorch programs (.pte), read by a checked reader of our own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import MalformedModelError, UnsupportedError
from edgekit.core.tflite.flatbuffer import Buffer, Table
from edgekit.sources._base import Signature, Source
from edgekit.sources._facts import told_facts

_IDENTIFIER = b"ET12"
"""Of the flatbuffer that ExecuTorch 1.x runs; fields and unions below are those of its schema/program.fbs."""

_HEADER = b"eh00"
_DTYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 11: "bool",
}  # fmt: skip
_TENSOR, _KERNEL_CALL, _DELEGATE_CALL = 5, 1, 2


class Pte(Source):
    """The `.pte` format."""

    format = "pte"

    def matches(self, path: Path) -> bool:
        """Bytes 4 to 8 are the flatbuffer's identifier, of any version."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(8)
        return head[4:6] == _IDENTIFIER[:2] and head[6:].isdigit()

    def _load(self, path: Path) -> Signature:
        data = path.read_bytes()
        if data[4:8] != _IDENTIFIER:
            raise UnsupportedError(
                f"{path.name} is a program for another ExecuTorch: {data[4:8].decode()}; edgekit runs ET12",
                hint="lower the model with ExecuTorch 1.x, or compile it with edgekit",
            )
        program = Buffer(data).root()
        _check_segments(program, data)
        plan = next((each for each in program.tables(1) if each.string(0) == "forward"), None)
        if plan is None:
            raise UnsupportedError(f"{path.name} has no method 'forward'", hint="export a module with one")
        inputs, outputs = _specs(plan, 3, "input"), _specs(plan, 4, "output")
        kinds = {spec.dtype for spec in (*inputs, *outputs)}
        return Signature(
            inputs=inputs,
            outputs=outputs,
            facts=told_facts(parameters=None, operators=_calls(plan), dtypes=sorted(kinds), has_float_weights=False),
        )


def _check_segments(program: Table, data: bytes) -> None:
    """Weights lie behind the flatbuffer, from where its header says: magic, length, u64 program size, u64 base."""
    base = program.buffer.integer("Q", 24) if data[8:12] == _HEADER else 0
    for segment in program.tables(4):
        end = base + segment.scalar(0, "Q") + segment.scalar(1, "Q")
        if end > len(data):
            raise MalformedModelError(
                f"the program is damaged: its weights end at byte {end:,} of {len(data):,}",
                hint="fetch or convert it again",
            )


def _specs(plan: Table, field: int, kind: str) -> tuple[TensorSpec, ...]:
    values = plan.tables(2)
    places = plan.integers(field, "i")
    found = []
    for index, place in enumerate(places):
        value = _item(values, place)
        tensor = value.table(1) if value.scalar(0, "B") == _TENSOR else None
        if tensor is None or (dtype := _DTYPES.get(tensor.scalar(0, "b"))) is None:
            raise UnsupportedError(
                f"{kind} {index} of the program is no tensor that NumPy knows", hint="export one that takes tensors"
            )
        name = kind if len(places) == 1 else f"{kind}_{index}"
        found.append(TensorSpec(name=name, shape=tensor.integers(2, "i"), dtype=dtype))
    return tuple(found)


def _calls(plan: Table) -> dict[str, int]:
    """How often each operator and each delegate is called."""
    operators, delegates = plan.tables(6), plan.tables(7)
    found: Counter[str] = Counter()
    for chain in plan.tables(5):
        for instruction in chain.tables(2):
            kind, call = instruction.scalar(0, "B"), instruction.table(1)
            if call is not None and kind == _KERNEL_CALL:
                operator = _item(operators, call.scalar(0, "i"))
                found[f"{operator.string(0)}.{operator.string(1)}".rstrip(".")] += 1
            elif call is not None and kind == _DELEGATE_CALL:
                found[_item(delegates, call.scalar(0, "i")).string(0)] += 1
    return dict(sorted(found.items()))


def _item(items: list[Table], place: int) -> Table:
    if not 0 <= place < len(items):
        raise MalformedModelError(
            f"the program is damaged: it names item {place} of {len(items)}", hint="fetch or convert it again"
        )
    return items[place]


SOURCE = Pte()
