"""What every runner must keep; a new file in `runners/` is covered without a line here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from device_agents.linux import runners, tensors

NAMES = runners.names()


NOT_HERE = "this runtime needs an environment of its own; the emulated Pi runs it"


@pytest.mark.parametrize("name", NAMES)
class TestRunner:
    def test_runner_has_the_names_that_the_agent_calls(self, name: str) -> None:
        module = runners.load_module(name)

        assert isinstance(module.FORMATS, tuple)
        assert all(isinstance(one, str) for one in module.FORMATS)
        for function in ("versions", "prepare", "probe", "load"):
            assert callable(getattr(module, function))

    def test_runner_opens_with_one_sentence(self, name: str) -> None:
        summary = (runners.load_module(name).__doc__ or "").splitlines()[0]

        assert summary.endswith(".")

    def test_runner_imports_its_runtime_inside_functions_only(self, name: str) -> None:
        import sys

        tree = ast.parse(Path(runners.load_module(name).__file__).read_text())

        for node in tree.body:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert module.split(".")[0] in {*sys.stdlib_module_names, "device_agents", "__future__"}

    def test_runner_that_can_probe_has_versions(self, name: str) -> None:
        module = runners.load_module(name)
        try:
            module.prepare()
        except ImportError as reason:
            pytest.skip(f"{NOT_HERE} ({reason})")

        module.probe()

        versions = module.versions()
        assert versions
        assert all(isinstance(part, str) for item in versions.items() for part in item)

    def test_runner_refuses_a_file_that_is_no_model(self, name: str, tmp_path: Path) -> None:
        module = runners.load_module(name)
        try:
            module.prepare()
        except ImportError as reason:
            pytest.skip(f"{NOT_HERE} ({reason})")
        (tmp_path / "model").write_bytes(b"")

        with pytest.raises(runners.RunnerError) as refused:
            module.load(str(tmp_path / "model"), {"threads": 1, "delegate": None, "kernels": "default", "seed": 0})

        assert refused.value.code == "E_UNSUPPORTED"


def _litert() -> tuple[Any, bytes, bytes]:
    from device_agents.linux.runners import litert

    return litert, litert.PROBE_MODEL, b"\0\0\x80\x3f" * 8


def _fake() -> tuple[Any, bytes, bytes]:
    from device_agents.linux.runners import fake

    return fake, b'{"scale": 2}', b"\0\0\x80\x3f" * 8


@pytest.mark.parametrize("case", [_litert, _fake])
def test_session_runs_samples_and_says_what_it_takes(case: Any, tmp_path: Path) -> None:
    module, model, data = case()
    (tmp_path / "model").write_bytes(model)
    session = module.load(str(tmp_path / "model"), {"threads": 1, "delegate": None, "kernels": "default", "seed": 0})

    samples = list(session.samples(0, memoryview(data), 2))
    outputs = [bytes(session.run((sample,))[0]) for sample in samples]

    assert outputs == [b"\0\0\0\x40" * 4] * 2
    for spec in [*session.inputs, *session.outputs]:
        assert set(spec) == {"name", "shape", "dtype"}
        assert spec["dtype"] in tensors.ITEM_BYTES
