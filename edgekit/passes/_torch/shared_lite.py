"""The pass `ptl_shared` in the child process: a .ptl that computes its weights from codebooks and packed positions.

Freezing a module folds everything that is constant, so the decoded weights would be in the file. Here the model is
traced with its weights as inputs, and a script around it decodes them into an attribute when it is first called.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.passes._torch import lite
from edgekit.passes._torch.codebooks import Coded, packed, recovered
from edgekit.passes._torch.engine import DEPRECATED
from edgekit.passes._torch.quantized_facts import lite_facts
from edgekit.passes._torch.quantizing import Work

_DECODE = """
def decoded(self, codes: Tensor, books: Tensor, bits: int, count: int) -> Tensor:
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    places = torch.bitwise_and(torch.bitwise_right_shift(codes.unsqueeze(1), shifts), (1 << bits) - 1)
    rows = places.flatten().narrow(0, 0, count).view([books.size(0), -1])
    return torch.gather(books, 1, rows.to(torch.int64))
"""


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Write a module as a .ptl with codebooks; see `edgekit.passes._torch_pass.TorchPass` for the job.

    Raises:
        UnsupportedError: the module cannot be traced.
    """
    work = Work(job["source"], "ptl_shared", job["params"])
    coded = _coded(work.module)
    outputs, operators = lite.write(
        work.module,
        work.examples,
        job["output"],
        inputs=work.loaded.inputs,
        engine="none",
        name=work.name,
        script=_script(work.module, work.examples, coded, name=work.name) if coded else None,
    )
    return {
        "notes": [_told(coded), DEPRECATED],
        "inputs": lite.specs_of_one(work.loaded.inputs),
        "outputs": [spec.as_json() for spec in outputs],
        "facts": lite_facts(work.module, work.module, work.examples, layers=work.layers, operators=operators),
    }


def _told(coded: Mapping[str, Coded]) -> str:
    if not coded:
        return (
            "No weights share values, so the file is that of ptl: put torch_share before, as the recipe share_ptl does."
        )
    sizes = [sum(each.size_bytes for each in coded.values()), sum(4 * each.codes.size for each in coded.values())]
    return (
        f"{len(coded)} weight tensors as codebooks and positions: {sizes[0]:,} bytes instead of {sizes[1]:,}; "
        "the first inference decodes them."
    )


def _coded(module: Any) -> dict[str, Coded]:
    """Weights that codebooks make smaller, by name."""
    found = {}
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1 and (coded := recovered(parameter.detach().numpy())) is not None:
            found[name] = coded
    return found


def _script(module: Any, examples: Sequence[Any], coded: Mapping[str, Coded], *, name: str) -> Any:
    """The module as a script that decodes its weights once.

    It is built by torch's own interfaces: in Python a frozen module can be no attribute of a scripted one.
    """
    import torch

    native: Any = torch._C  # noqa: SLF001 - see above
    jit: Any = torch.jit
    weights = [dict(module.named_parameters())[each].detach() for each in coded]
    answering = lite.traced(_fed(copy.deepcopy(module), list(coded)), (*weights, *examples), name)
    around = native.ScriptModule("__torch__.Shared", native.CompilationUnit(), True)  # noqa: FBT003 - it has no names
    around._register_attribute("answering", answering._c._type(), answering._c)  # noqa: SLF001 - as above
    around._register_attribute("weights", native.ListType.ofTensors(), [])  # noqa: SLF001 - as above
    calls = []
    for index, each in enumerate(coded.values()):
        for kind, array in (("codes", packed(each)), ("books", each.books)):
            around._register_attribute(f"{kind}{index}", native.TensorType.get(), torch.from_numpy(array))  # noqa: SLF001 - as above
        sizes = f"{each.bits}, {each.codes.size}"
        calls.append(f"self.decoded(self.codes{index}, self.books{index}, {sizes}).view({list(each.codes.shape)})")
    script = jit._recursive.wrap_cpp_module(around)  # noqa: SLF001 - as above
    inputs = [f"x{index}" for index in range(len(examples))]
    given = [f"self.weights[{index}]" for index in range(len(calls))]
    script.define(_DECODE)
    script.define(
        f"def forward(self, {', '.join(inputs)}):\n"
        f"    if len(self.weights) == 0:\n"
        f"        self.weights = [{', '.join(calls)}]\n"
        f"    return self.answering({', '.join((*given, *inputs))})\n"
    )
    return script


def _fed(module: Any, names: Sequence[str]) -> Any:
    """The module as one that takes some of its weights before its inputs; the module is used up."""
    import torch

    by_tensor: dict[int, list[tuple[Any, str]]] = {}
    for path, parameter in module.named_parameters(remove_duplicate=False):
        owner, _, attribute = path.rpartition(".")
        by_tensor.setdefault(id(parameter), []).append((module.get_submodule(owner), attribute))
    places = [by_tensor[id(parameter)] for path, parameter in module.named_parameters() if path in names]
    for owner, attribute in (place for several in places for place in several):
        delattr(owner, attribute)

    class Fed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *given: Any) -> Any:
            weights, inputs = given[: len(places)], given[len(places) :]
            for several, weight in zip(places, weights, strict=True):
                for owner, attribute in several:
                    setattr(owner, attribute, weight)
            try:
                return self.inner(*inputs)
            finally:
                for owner, attribute in (place for several in places for place in several):
                    delattr(owner, attribute)

    return Fed().eval()
