"""ResNet8 of MLPerf Tiny on CIFAR images: int8, and more than half of the weights pruned, against float."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks._compression_bench import Row, by_hand, compiled, files, goal, lasting_cache, plain
from benchmarks._figures import Figure

RUNS = 1
INT8_DROP_GOAL, SPARSE_DROP_GOAL, SPARSE_ZIP_GOAL = 0.003, 0.01, 0.63
_IMAGES = "1,000 JPEG images to calibrate and fine-tune, 1,000 to evaluate: only differences say something"

_TUNED = {
    "tuned": "16 epochs as they are",
    "tuned_augmented": "20 epochs augmented",
    "tuned_longer": "58 epochs augmented",
}


@dataclass(frozen=True, kw_only=True)
class ResNet8:
    """Raw figures: edgekit's float reference, int8 and sparse artifacts, and the rows of the hand-written script.

    Attributes:
        float_model: as published.
        int8: of that.
        taught: float, fine-tuned and then trained as `sparse` is, with nothing pruned.
        sparse: fine-tuned, pruned and int8.
        by_hand: by their names there.
    """

    float_model: Row
    int8: Row
    taught: Row
    sparse: Row
    by_hand: dict[str, Row]


def measure(_runs: int) -> ResNet8:
    """Compile each once: all seeds are fixed."""
    given = files("resnet8", "models/mlperf_tiny/pretrainedResnet.h5")
    with lasting_cache() as folder:
        float_model, int8 = compiled(given, folder, "int8")
        _, taught = compiled(given, folder, Path("resnet8_float.toml"))
        _, sparse = compiled(given, folder, Path("resnet8.toml"))
        return ResNet8(float_model=float_model, int8=int8, taught=taught, sparse=sparse, by_hand=by_hand(given))


def figures(found: ResNet8) -> tuple[Figure, ...]:
    """The rows."""
    tuned = max((found.taught, *(found.by_hand[name] for name in _TUNED)), key=lambda row: row.correct)
    share = found.sparse.zip_bytes / found.int8.zip_bytes
    return (
        plain("ResNet8, float", found.float_model, note=_IMAGES),
        goal(
            "ResNet8 by `edgekit compile --recipe int8`",
            found.int8,
            f"{INT8_DROP_GOAL * 100:g} points less than float at most",
            met=found.float_model.correct - found.int8.correct <= INT8_DROP_GOAL * found.int8.n,
        ),
        plain("ResNet8 by hand, int8", found.by_hand["int8"]),
        *(
            plain(f"ResNet8 by hand, float, fine-tuned on the same images, {how}", found.by_hand[name])
            for name, how in _TUNED.items()
        ),
        plain(
            "ResNet8 by `edgekit compile --recipe benchmarks/recipes/resnet8_float.toml`: float, fine-tuned, then "
            "trained as the pruned one",
            found.taught,
        ),
        plain("ResNet8 by hand, half of the weights pruned, int8", found.by_hand["pruned_int8"]),
        plain("ResNet8 by hand, half pruned, 24 clusters, int8", found.by_hand["small"]),
        goal(
            "ResNet8 by `edgekit compile --recipe benchmarks/recipes/resnet8.toml`: 58 % pruned, int8, pack",
            found.sparse,
            f"{SPARSE_DROP_GOAL * 100:g} points less than the best fine-tuned float at most, "
            f"{SPARSE_ZIP_GOAL:g} of the int8 zip bytes at most",
            met=tuned.correct - found.sparse.correct <= SPARSE_DROP_GOAL * tuned.n and share <= SPARSE_ZIP_GOAL,
            note=f"{share:.2f} of the int8 zip bytes",
        ),
    )
