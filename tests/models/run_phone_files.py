"""Runs every .ptl and .pte of some folders with its runner: `python -m tests.models.run_phone_files X.bin FOLDER...`.

Prints JSON: the runners' versions, and for each file `{inputs, outputs, values, operators}` (values as hex, operators
as kinds or a refusal) or `{code, message}`.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from device_agents.linux import runners

RUNNERS = {".ptl": "torch_mobile", ".pte": "executorch"}
OPTIONS = {"threads": 1, "delegate": None, "kernels": "default", "seed": 0}


def outcome(path: Path, x: bytes) -> dict[str, Any]:
    """What the runner makes of a file."""
    module = runners.load_module(RUNNERS[path.suffix])
    try:
        session = module.load(str(path), OPTIONS)
    except runners.RunnerError as refusal:
        return {"code": refusal.code, "message": str(refusal)}
    samples = session.samples(0, memoryview(x), 4)
    values = [bytes(session.run((sample,))[0]).hex() for sample in samples]
    told = operators(module, path, list(samples)) if hasattr(module, "operators") else None
    return {"inputs": session.inputs, "outputs": session.outputs, "values": values, "operators": told}


def operators(module: Any, path: Path, samples: list[Any]) -> list[str] | str:
    """The kinds of a program's operators, or why there are none."""
    try:
        found = module.operators(str(path), OPTIONS, ["input_0"], [(sample,) for sample in samples])
    except runners.RunnerError as refusal:
        return str(refusal)
    assert all(one["ns"] >= 0 for one in found)
    return [f"{one['name']} {one['op']}" for one in found]


def engine() -> str | None:
    """The engine that torch is set to now."""
    torch = sys.modules.get("torch")
    return None if torch is None else torch.backends.quantized.engine


def main() -> None:
    """Run them all, in the order of their names."""
    x, folders = Path(sys.argv[1]).read_bytes(), sys.argv[2:]
    found: dict[str, Any] = {}
    for path in sorted(path for folder in folders for path in Path(folder).iterdir() if path.suffix in RUNNERS):
        found[path.name] = {**outcome(path, x), "engine": engine()}
    names = sorted({RUNNERS[Path(name).suffix] for name in found})
    found["versions"] = {
        name: importlib.import_module(f"device_agents.linux.runners.{name}").versions() for name in names
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
