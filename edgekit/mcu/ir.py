"""The network as the compiler sees it: values with fixed shapes, nodes in the order in which they run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import UnsupportedError
from edgekit.core.tflite.flatbuffer import Table
from edgekit.core.tflite.model import Quantization

if TYPE_CHECKING:
    from numpy.typing import NDArray

ITEM_BYTES: Mapping[str, int] = {
    "int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """One tensor; two values are the same only when they are the same object.

    Attributes:
        index: its number in the file.
        name: its name in the file.
        shape: sizes of its axes, all known.
        dtype: NumPy's name.
        quantization: scales and zero points, None for a plain integer or float tensor.
        data: its values, shape `shape`, for a constant; None for one that is computed.
        is_variable: whether it keeps its content from one call to the next.
        initial: what a reset sets a variable to, shape `shape`; None: zero.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: NDArray[Any] | None = None
    is_variable: bool = False
    initial: NDArray[Any] | None = None

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes in memory."""
        return self.elements * ITEM_BYTES[self.dtype]

    @property
    def scale(self) -> float:
        """Real value of one quantization step, the float32 of the file as a double.

        Raises:
            UnsupportedError: it has none, or one for each channel.
        """
        return self._per_tensor().scales[0]

    @property
    def zero_point(self) -> int:
        """The quantized value that stands for 0.0.

        Raises:
            UnsupportedError: it has none, or one for each channel.
        """
        return self._per_tensor().zero_points[0]

    @property
    def scales(self) -> NDArray[np.float64]:
        """One scale, or one for each channel of the quantized axis; shape [n], float64."""
        if self.quantization is None:
            raise self._unquantized()
        return np.asarray(self.quantization.scales, dtype=np.float64)

    def _per_tensor(self) -> Quantization:
        if self.quantization is None:
            raise self._unquantized()
        if len(self.quantization.scales) != 1:
            raise UnsupportedError(
                f"tensor {self.name!r} has {len(self.quantization.scales)} scales where one is needed",
                hint="quantize activations per tensor: edgekit compile does",
            )
        return self.quantization

    def _unquantized(self) -> UnsupportedError:
        return UnsupportedError(
            f"tensor {self.name!r} ({self.dtype}) is not quantized",
            hint="a microcontroller needs an int8 model: edgekit compile MODEL --calibration-data ...",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """An operator's table of settings; a field that the file leaves out has its default.

    Field numbers follow TensorFlow Lite's schema.fbs, version 3.
    """

    table: Table | None = None

    def integer(self, field: int, default: int = 0, kind: str = "i") -> int:
        """An integer or enum field; `kind` is a struct character ("b" for enums and bools)."""
        return default if self.table is None else self.table.scalar(field, kind, default)

    def flag(self, field: int, default: bool = False) -> bool:
        """A bool field."""
        return bool(self.integer(field, int(default), "b"))

    def number(self, field: int, default: float = 0.0) -> float:
        """A float32 field."""
        return default if self.table is None else self.table.number(field, default)

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of int32."""
        return () if self.table is None else self.table.integers(field, "i")


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operator.

    Attributes:
        place: its number among the operators of its graph.
        op: its name, e.g. "CONV_2D".
        version: as the file says.
        inputs: None for an optional input that is left out.
        outputs: what it computes.
        options: its settings.
    """

    place: int
    op: str
    version: int
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    options: Options

    def input(self, place: int) -> Value:
        """An input that must be there.

        Raises:
            UnsupportedError: the file leaves it out.
        """
        value = self.optional(place)
        if value is None:
            raise self.refuse(f"lacks its input {place}")
        return value

    def optional(self, place: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def constant(self, place: int) -> NDArray[Any]:
        """The values of an input that the file must hold.

        Raises:
            UnsupportedError: it is computed.
        """
        value = self.input(place)
        if value.data is None:
            raise self.refuse(f"computes its input {place}, {value.name!r}", hint="it has to be a constant here")
        return value.data

    @property
    def output(self) -> Value:
        """Its only output."""
        return self.outputs[0]

    def refuse(self, why: str, *, hint: str | None = None) -> UnsupportedError:
        """The error for a layer that the compiler cannot translate: which layer, and why."""
        name = self.outputs[0].name.partition(";")[0][:60] if self.outputs else "no output"
        return UnsupportedError(
            f"layer {self.place}, {self.op} ({name}): {why}",
            hint=hint or "edgekit inspect MODEL shows the layers",
            layer=self.place,
            op=self.op,
        )


@dataclass(frozen=True, kw_only=True)
class Network:
    """A whole model: one graph, with what a call does once before the first run.

    Attributes:
        nodes: in the order of their run.
        inputs, outputs: the signature, in the file's order.
        variables: values that keep their content from call to call.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    variables: tuple[Value, ...] = ()
