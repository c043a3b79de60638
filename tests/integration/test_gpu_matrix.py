"""Our rules for the GPU delegate against the delegate itself, one model an operator, on a software GPU."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.isolation import Isolate
from edgekit.core.tflite.gpu_rules import gpu_findings
from edgekit.core.tflite.model import parse_model
from edgekit.emulators import VulkanDriver
from edgekit.flows.samples import synthetic_inputs
from tests.models import gpu_models

ALIKE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """Asks the real delegate, in one child process for all models."""

    child: Isolate
    driver: VulkanDriver
    folder: Path

    def __call__(self, name: str, data: bytes) -> tuple[bool, float | None]:
        """Whether it takes the whole model, and how far its answers are from the CPU's; None where it ran nothing."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        path = folder / "model.tflite"
        path.write_bytes(data)
        model = parse_model(data)
        inputs = []
        for index, array in enumerate(synthetic_inputs(model.input_specs(), n=2, seed=0)):
            inputs.append(str(folder / f"{index}.npy"))
            np.save(inputs[-1], array)
        driver = {"manifest": str(self.driver.manifest), "loader": str(self.driver.loader)}
        job = {"path": str(path), "inputs": inputs, "outputs": str(folder), "driver": driver}
        found = self.child.call("edgekit.passes._gpu.delegate:run", job, what=f"running {name}", timeout_s=120)
        if found["reason"] is not None:
            return found["fully_accelerated"], None
        gaps = [
            np.abs(np.subtract(*(np.load(folder / f"{kind}-{index}.npy").astype(float) for kind in ("gpu", "cpu"))))
            for index in range(len(model.output_specs()))
        ]
        return found["fully_accelerated"], float(max(gap.max() for gap in gaps))


@pytest.fixture(scope="module")
def delegate(software_gpu: VulkanDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delegate]:
    with Isolate() as child:
        yield Delegate(child=child, driver=software_gpu, folder=tmp_path_factory.mktemp("gpu-rules"))


def disagreement(delegate: Delegate, name: str, data: bytes) -> str | None:
    """How rule and delegate differ on a model, None where they do not."""
    findings = gpu_findings(parse_model(data))
    accelerated, gap = delegate(name, data)
    if accelerated == any(finding.is_refused for finding in findings):
        return f"{name}: {'taken' if accelerated else 'refused'} against {findings}"
    is_wrong = gap is not None and gap > ALIKE
    if is_wrong != any(not finding.is_refused for finding in findings):
        return f"{name}: {gap} from the CPU, against {findings}"
    return None


def test_rules_agree_with_the_delegate(delegate: Delegate):
    found = [disagreement(delegate, name, data) for name, data in gpu_models.sample().items()]

    assert [text for text in found if text] == []


@pytest.mark.full
def test_every_operator_is_judged_as_the_delegate_does(delegate: Delegate):
    found = [disagreement(delegate, name, data) for name, data in gpu_models.matrix().items()]

    assert [text for text in found if text] == []
