"""The file of the lite interpreter: what is in it, the same bytes every time, and models that cannot be traced."""

from __future__ import annotations

import json
import tempfile
import zipfile
from typing import Any

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.core.errors import UnsupportedError
from edgekit.core.isolation import Isolate
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import held_out, scores

DEPRECATED = "executorch_xnnpack and litert_torch are their successors"


def members(path: Any) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# In the child process


def engine_after(name: str, fails: bool) -> list[str]:
    """The engine before, within and after `engine`."""
    import torch

    from edgekit.passes._torch.engine import engine

    engines = torch.backends.quantized
    seen = [engines.engine]
    try:
        with engine(name):
            seen.append(engines.engine)
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    return [*seen, engines.engine]


def without_engine(source: str, engine_name: str) -> None:
    """Quantize where torch does not have the engine."""
    from unittest.mock import patch

    import torch

    from edgekit.passes._torch.quantizing import dynamic

    params = {"per_channel": True, "keep_float": []}
    job = {"source": source, "output": "", "params": params, "pass_name": "p", "engine": engine_name}
    with patch.object(type(torch.backends.quantized), "supported_engines", ["fbgemm", "none"]):
        dynamic(job)


def followed(kind: str) -> None:
    """Whether a model's control flow is fixed."""
    import torch

    from edgekit.passes._torch.control_flow import check_control_flow
    from tests.models import torch_nets

    class Scaled(torch.nn.Module):
        """Takes a value out of a constant, and numbers out of shapes."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(int(x.shape[0]), -1) * torch.ones(()).item()

    module = Scaled() if kind == "scaled" else getattr(torch_nets, f"make_{kind}")()
    check_control_flow(module.eval(), [torch.zeros(1, 1, 8, 8)], name="m")


def past_the_trace() -> None:
    """Write a model whose answer goes through NumPy."""
    import torch

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch.lite import write

    class Numbers(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * float(x.numpy().sum())

    with tempfile.TemporaryDirectory() as folder:
        spec = TensorSpec(name="x", shape=(-1, 3), dtype="float32")
        x = torch.tensor([[0.2, 0.5, 0.9]])
        write(Numbers(), [x], f"{folder}/m.ptl", inputs=[spec], engine="none", name="numbers")


def run_script(path: str, folder: str) -> None:
    """Run a file by `torch.jit.load`, on the engine that it names."""
    import torch

    from edgekit.passes._torch.engine import engine

    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("model/extra/edgekit.json"))
    with engine("qnnpack" if told["engine"] == "none" else told["engine"]), torch.no_grad():
        model = torch.jit.load(path)
        x = torch.from_numpy(np.load(f"{folder}/x.npy"))
        np.save(f"{folder}/answers.npy", torch.cat([model(one[None]) for one in x]).numpy())


# Here


def test_file_holds_what_the_lite_interpreter_reads_and_its_signature(torch_model, run_torch_pass):
    result, record = run_torch_pass("ptl", torch_model("cnn"))

    found = members(result.path)
    told = json.loads(found["model/extra/edgekit.json"])
    assert told == {
        "inputs": [{"name": "pixels", "shape": [1, 1, 8, 8], "dtype": "float32"}],
        "outputs": [{"name": "output", "shape": [1, 10], "dtype": "float32"}],
        "engine": "none",
    }
    assert [(spec.name, spec.shape, spec.dtype) for spec in result.inputs] == [("pixels", (1, 1, 8, 8), "float32")]
    assert [(spec.shape, spec.dtype) for spec in result.outputs] == [((1, 10), "float32")]
    assert {name.split("/")[1] for name in found} == {
        "extra", "data.pkl", "constants", "bytecode.pkl", "version", "byteorder",
    }  # fmt: skip
    assert record.notes == ()


def test_file_names_neither_the_users_modules_nor_this_computer(torch_model, run_torch_pass):
    for name in ("ptl", "qnnpack_static"):
        content = b"".join(members(run_torch_pass(name, torch_model("cnn"))[0].path).values())

        assert b"__torch__.Model" in content
        assert not any(word in content for word in (b"torch_nets", b"mangle", b"/edgekit", b"site-packages"))


@pytest.mark.parametrize(
    ("name", "kind"), [("ptl", "residual"), ("qnnpack_static", "cnn"), ("qnnpack_dynamic", "lstm")]
)
def test_file_for_torchscript_too_gives_the_same_answers_to_both_readers(name, kind, torch_model, run_torch_pass):
    some = Dataset(name="some", inputs=(held_out().inputs[0][:50],))

    result, _ = run_torch_pass(name, torch_model(kind), {"torchscript": True})

    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", some.inputs[0])
        shared_user_isolate().call(
            f"{__name__}:run_script", {"path": str(result.path), "folder": folder}, what="running TorchScript"
        )
        np.testing.assert_array_equal(np.load(f"{folder}/answers.npy"), scores(result, some))
    content = b"".join(members(result.path).values())
    assert not any(word in content for word in (b"torch_nets", b"mangle", b"/edgekit", b"site-packages"))
    assert result.digest == run_torch_pass(name, torch_model(kind), {"torchscript": True})[0].digest


def test_float_file_answers_as_the_module(torch_model, run_torch_pass):
    model = torch_model("residual")
    result, _ = run_torch_pass("ptl", model)
    some = Dataset(name="some", inputs=(held_out().inputs[0][:50],))

    ours, theirs = scores(result, some), scores(model, some, function="run_float")

    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_same_input_gives_the_same_bytes_in_a_process_of_its_own(torch_model, run_torch_pass):
    names = ("ptl", "qnnpack_static", "qnnpack_dynamic")
    model = torch_model("mlp")
    run_torch_pass("qnnpack_static", torch_model("cnn"))

    ours = [run_torch_pass(name, model)[0].digest for name in names]
    again = [run_torch_pass(name, model)[0].digest for name in names]
    with Isolate(user_code=True) as fresh:
        alone = [run_torch_pass(name, model, user_isolate=fresh)[0].digest for name in reversed(names)]

    assert ours == again == alone[::-1]


def test_facts_are_those_of_the_model(torch_model, run_torch_pass):
    result, _ = run_torch_pass("ptl", torch_model("mlp"))

    facts = result.facts
    assert facts is not None
    assert facts["parameters"] == 64 * 48 + 48 + 48 * 10 + 10
    assert facts["macs"] == 64 * 48 + 48 * 10
    assert facts["mac_dtypes"] == {"float32": facts["macs"]}
    assert {each["name"]: each["count"] for each in facts["ops"]} == {
        "aten::flatten": 1, "aten::linear": 2, "aten::relu": 1,
    }  # fmt: skip
    assert facts["has_float_weights"]
    assert facts["weights"] == {"sparsity": 0.0, "unique_weights": 64 * 48}
    assert facts["output_step"] == [0.0]


def test_control_flow_over_data_is_refused_with_its_line(torch_model, run_torch_pass):
    for name in ("ptl", "qnnpack_static", "qnnpack_dynamic", "qnnpack_qat"):
        with pytest.raises(UnsupportedError, match="control flow") as caught:
            run_torch_pass(name, torch_model("branching", epochs=0))

        assert "tests/models/torch_nets.py, line" in caught.value.message
        assert "if flat.mean() > 0.5" in caught.value.message


@pytest.mark.parametrize("kind", ["scaled", "untraceable"])
def test_control_flow_over_shapes_and_constants_is_taken(kind):
    shared_user_isolate().call(f"{__name__}:followed", {"kind": kind}, what="following")


def test_value_that_goes_past_the_trace_is_refused():
    with pytest.raises(UnsupportedError, match=r"(cannot be traced|answers differently)"):
        shared_user_isolate().call(f"{__name__}:past_the_trace", {}, what="writing")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("name", ["qnnpack", "fbgemm"])
def test_engine_comes_back(name, fails):
    before, within, after = shared_user_isolate().call(
        f"{__name__}:engine_after", {"name": name, "fails": fails}, what="asking for the engine"
    )

    assert before == after == "x86"
    assert within == name


def test_absent_engine_is_refused_by_name(torch_model):
    request = {"source": str(torch_model("mlp").path), "engine_name": "qnnpack"}

    with pytest.raises(UnsupportedError, match="no engine 'qnnpack', only fbgemm") as caught:
        shared_user_isolate().call(f"{__name__}:without_engine", request, what="quantizing")

    assert caught.value.hint


def test_several_inputs_and_outputs_are_kept(torch_model, run_torch_pass):
    result, _ = run_torch_pass("ptl", torch_model("two_inputs", epochs=0))

    assert [(spec.name, spec.shape) for spec in result.inputs] == [("pixels", (1, 1, 8, 8)), ("more", (1, 2))]
    assert [(spec.name, spec.shape) for spec in result.outputs] == [("output_0", (1, 10)), ("output_1", (1, 1))]
