"""Hostile .pte programs: well-formed, with plans that ask for too much, jump back, or name what is not there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

Made = Mapping[str, tuple[bytes, list[Any], list[str]]]
_INPUTS = [[[1, 4], "float32"]]
_REFUSED, _CRASH, _HANG, _MEMORY, _FINE = "error", "signal", "timeout", "oom", "ok"


def seeds() -> Made:
    """A good program, to be damaged."""
    return {"seed": (_serialized(_program()), _INPUTS, [_FINE])}


def crafted() -> Made:
    """The attacks."""
    refused, any_end = [_REFUSED, _CRASH, _MEMORY], [_REFUSED, _CRASH, _MEMORY, _FINE]
    return {
        "planned_memory_of_a_pebibyte": (_changed(_ask_for(2**50)), _INPUTS, refused),
        "planned_memory_of_nothing": (_changed(_ask_for(0)), _INPUTS, any_end),
        "planned_memory_that_wraps": (_changed(_ask_for(-8)), _INPUTS, any_end),
        "jump_back": (_changed(_jump_back), _INPUTS, [_HANG, _REFUSED]),
        "value_beyond": (_changed(_value_beyond), _INPUTS, any_end),
        "operator_beyond": (_changed(_operator_beyond), _INPUTS, any_end),
        "input_beyond": (_changed(lambda plan: setattr(plan, "inputs", [2**31 - 1])), _INPUTS, any_end),
        "free_twice": (_changed(_free_twice), _INPUTS, any_end),
    }


def _program() -> Any:
    import torch
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()).eval()
    return to_edge_transform_and_lower(torch.export.export(net, (torch.zeros(1, 4),))).to_executorch()


def _serialized(program: Any) -> bytes:
    data: bytes = program.buffer
    return data


def _changed(change: Callable[[Any], None]) -> bytes:
    """The good program with another plan."""
    from executorch.exir._serialize._program import deserialize_pte_binary, serialize_pte_binary

    file = deserialize_pte_binary(_serialized(_program()))
    change(file.program.execution_plan[0])
    return bytes(serialize_pte_binary(file, extract_delegate_segments=True))


def _ask_for(size: int) -> Callable[[Any], None]:
    def change(plan: Any) -> None:
        plan.non_const_buffer_sizes = [0, size]

    return change


def _jump_back(plan: Any) -> None:
    """The last instruction goes back to the first."""
    from executorch.exir.schema import Bool, EValue, Instruction, JumpFalseCall

    plan.values.append(EValue(Bool(bool_val=False)))
    back = JumpFalseCall(cond_value_index=len(plan.values) - 1, destination_instruction=0)
    plan.chains[0].instructions.append(Instruction(back))


def _value_beyond(plan: Any) -> None:
    plan.chains[0].instructions[0].instr_args.args[0] = 2**31 - 1


def _operator_beyond(plan: Any) -> None:
    plan.chains[0].instructions[0].instr_args.op_index = 2**31 - 1


def _free_twice(plan: Any) -> None:
    from executorch.exir.schema import FreeCall, Instruction

    extra = [Instruction(FreeCall(value_index=0)) for _ in range(2)]
    plan.chains[0].instructions = [*extra, *copy.copy(plan.chains[0].instructions)]
