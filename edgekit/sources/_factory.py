"""From a function of the user's and a file of weights to an artifact; both are looked at in child processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.digest import sha256_file
from edgekit.core.factory import Factory
from edgekit.core.isolation import Isolate
from edgekit.sources._base import size_bytes, zip_bytes
from edgekit.sources._snapshot import snapshot


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one input of a module takes.

    Attributes:
        shape: of one sample.
        dtype: NumPy's name.
    """

    shape: tuple[int, ...]
    dtype: str


def load_factory(
    factory: Factory, samples: Sequence[Sample], *, work: Path, isolate: Isolate, user_isolate: Isolate
) -> tuple[Artifact, tuple[str, ...]]:
    """Build a PyTorch model, give it its weights and try it.

    Args:
        factory: function and weights.
        samples: one a model input.
        work: folder for the artifact.
        isolate: the child process that reads the weights.
        user_isolate: the child process that may import the user's modules.

    Returns:
        The artifact, of format "torch", and warnings.

    Raises:
        ConfigurationError: the function cannot be called, or gives no module.
        InputError: the weights cannot be read, or do not fit.
        VerificationError: the file of weights could run code.
        UnsupportedError: it is no file of weights, or the model does not take such samples.
    """
    folder = work / "source"
    folder.mkdir(parents=True, exist_ok=True)
    weights, shown = None, str(factory.weights)
    if factory.weights is not None:
        copy = snapshot(factory.weights, work, isolate)
        weights = str(folder / "weights.safetensors.checked")
        isolate.call(
            "edgekit.passes._torch.source:read_weights",
            {"path": str(copy), "shown": shown, "output": weights},
            what=f"reading {shown}",
        )
    path = folder / f"{factory.stem}.torch"
    found = user_isolate.call(
        "edgekit.passes._torch.source:make",
        {
            "factory": factory.function,
            "weights": weights,
            "shown": shown,
            "shapes": [sample.shape for sample in samples],
            "dtypes": [sample.dtype for sample in samples],
            "output": str(path),
        },
        what=f"building {factory}",
    )
    artifact = Artifact(
        format="torch",
        path=path,
        digest=sha256_file(path),
        size_bytes=size_bytes(path),
        zip_bytes=zip_bytes(path),
        made_by="factory",
        inputs=tuple(map(TensorSpec.from_json, found["inputs"])),
        outputs=tuple(map(TensorSpec.from_json, found["outputs"])),
        facts=found["facts"],
    )
    return artifact, tuple(found["warnings"])
