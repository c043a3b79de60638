"""Where the state of streaming models lies, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.mcu.emit import Library
from edgekit.mcu.layer import Core
from tests.models.mcu_models import Op, Spec, build, options, random_spec
from tests.models.mcu_oracle import compile_model
from tests.unit.mcu.random_state import GENERATORS


def _compiled(name: str) -> Library:
    drawn = GENERATORS[name](np.random.default_rng(1))
    assert isinstance(drawn, bytes)
    return compile_model(drawn, Core(name="host"))


def _copies(library: Library) -> int:
    return sum("READ_VARIABLE" in layer.name for layer in library.schedule.layers)


def test_variable_is_read_where_it_is() -> None:
    assert _copies(_compiled("variable")) == 0


def test_variable_is_copied_when_it_changes_before_its_last_use() -> None:
    assert _copies(_compiled("variable used late")) == 1


def test_reset_gives_variables_the_values_of_the_file() -> None:
    source = _compiled("variable with initial value").files["model.c"]

    assert "ek_restore(" in source.split("void model_reset")[1].split("}")[0]


def test_variable_with_two_shapes_is_refused() -> None:
    x = random_spec(np.random.default_rng(0), (1, 4))
    handle = Spec(shape=(), dtype="resource")
    old, y = replace(x, shape=(2, 2)), replace(x)
    ops = [
        Op(name="VAR_HANDLE", inputs=[], outputs=[handle], options=options("VarHandleOptions", sharedName="state")),
        Op(name="READ_VARIABLE", inputs=[handle], outputs=[old], options=options("ReadVariableOptions")),
        Op(name="ASSIGN_VARIABLE", inputs=[handle, x], outputs=[], options=options("AssignVariableOptions")),
        Op(name="RELU", inputs=[x], outputs=[y]),
    ]

    with pytest.raises(UnsupportedError, match=r"layer 2, ASSIGN_VARIABLE .* 'state' as int8\[1, 4\]"):
        compile_model(build(ops, inputs=[x], outputs=[y, old]), Core(name="host"))


def test_lstm_without_variables_is_refused() -> None:
    x = random_spec(np.random.default_rng(0), (1, 1, 4))
    weights = [Spec(shape=(4, 4), scales=(0.1,), zero_points=(0,), data=np.ones((4, 4), np.int8)) for _ in range(8)]
    biases = [Spec(shape=(4,), dtype="int32", data=np.zeros(4, np.int32)) for _ in range(4)]
    hidden, cell = replace(x, shape=(1, 4)), replace(x, shape=(1, 4), dtype="int16", zero_points=(0,))
    operands = [x, *weights, *[None] * 3, *biases, None, None, hidden, cell, *[None] * 4]
    table = options("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4)
    lstm = Op(name="UNIDIRECTIONAL_SEQUENCE_LSTM", inputs=operands, outputs=[replace(x)], options=table)

    with pytest.raises(UnsupportedError, match="keeps its state in tensors that are no variables"):
        compile_model(build([lstm]), Core(name="host"))
