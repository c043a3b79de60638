"""What a step gained on a target: smaller, faster, leaner or more accurate; and a plain word when it gained nothing.

Bytes, multiply-accumulates and accuracy are measured or counted. Speed is derived: from fewer multiply-accumulates, or
from a type that the target's runtime has kernels for; only `edgekit profile` measures it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.core.paired import CONFIDENCE, Losses, Pairs
from edgekit.core.recipe import StepMetrics
from edgekit.core.target import Target

CONVERTS = "a conversion, no more: the model stays as large and as fast"
NOTHING = "gained nothing on {target}: leave it out"
_NOTICEABLE = 0.01
"""A change of less than one percent is none."""
_FAST_TYPES = ("int8", "uint8", "int16")
_FEW_VALUES = 256
"""More different values than that do not come from clustering: an int8 tensor has no more."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A model at one point of the chain.

    Attributes:
        metrics: of what it would be shipped as.
        mac_dtypes: multiply-accumulates by the type of the activations that they read.
        format: of what it would be shipped as.
    """

    metrics: StepMetrics
    mac_dtypes: Mapping[str, int]
    format: str = "tflite"


def gain(
    before: Weighed, after: Weighed, target: Target, *, answers: Losses | None = None, converts: bool = False
) -> str:
    """One line on what a step gained.

    Args:
        before, after: the model on both sides of the step.
        target: where it will run.
        answers: what the model after the step lost against the one before on the evaluation set, None without labels.
        converts: the step makes something that can be run of something else, so that it cannot be left out.
    """
    gained = [
        *_smaller(before.metrics, after.metrics),
        *_leaner(before.metrics, after.metrics),
        *_faster(before, after, target),
    ]
    if answers is not None and answers.interval(confidence=CONFIDENCE).high < 0:
        word = "more accurate" if isinstance(answers, Pairs) else "better"
        gained.append(f"{word} by {answers.amount(-answers.drop)}")
    paid = _larger(before.metrics, after.metrics)
    if not gained and converts:
        return "; ".join([CONVERTS, *paid])
    if not gained:
        return "; ".join([NOTHING.format(target=target.name), *paid])
    return "; ".join([*gained, *_only_packed(before.metrics, after.metrics, target), *paid])


def _fell(before: float, after: float) -> bool:
    return after < before * (1 - _NOTICEABLE)


def _times(before: float, after: float) -> str:
    return f"{before / after:.1f}x" if after else "to nothing"


def _smaller(before: StepMetrics, after: StepMetrics) -> Iterator[str]:
    for name, old, new in (
        ("file", before.size_bytes, after.size_bytes),
        ("transfer", before.zip_bytes, after.zip_bytes),
    ):
        if _fell(old, new):
            yield f"{name} {_times(old, new)} smaller ({old:,} to {new:,} B{' zipped' if name == 'transfer' else ''})"


def _larger(before: StepMetrics, after: StepMetrics) -> list[str]:
    if not _fell(after.size_bytes, before.size_bytes):
        return []
    return [f"the file is larger ({before.size_bytes:,} to {after.size_bytes:,} B)"]


def _leaner(before: StepMetrics, after: StepMetrics) -> Iterator[str]:
    if _fell(before.macs, after.macs):
        times = _times(before.macs, after.macs)
        yield f"{times} fewer multiply-accumulates, so faster ({before.macs:,} to {after.macs:,})"
    if _fell(before.activation_bytes, after.activation_bytes):
        yield (
            f"leaner: activations need {_times(before.activation_bytes, after.activation_bytes)} less "
            f"({before.activation_bytes:,} to {after.activation_bytes:,} B)"
        )


def _faster(before: Weighed, after: Weighed, target: Target) -> Iterator[str]:
    """A narrower type of the activations is faster where the runtime has kernels for it."""
    runtime = target.runtime_for(after.format)
    for dtype in _FAST_TYPES:
        new = _share(after.mac_dtypes, dtype)
        if runtime is None or dtype not in runtime.dtypes or new <= _share(before.mac_dtypes, dtype) + _NOTICEABLE:
            continue
        yield (
            f"{new:.0%} of the multiply-accumulates in {dtype}, for which {runtime.name} on {target.name} has kernels: "
            "faster as a rule, measure it with edgekit profile"
        )


def _share(mac_dtypes: Mapping[str, int], dtype: str) -> float:
    total = sum(mac_dtypes.values())
    return mac_dtypes.get(dtype, 0) / total if total else 0.0


def _only_packed(before: StepMetrics, after: StepMetrics, target: Target) -> Iterator[str]:
    """Zeros and shared values help a packer; the kernels compute with them as with any other value."""
    if _fell(before.size_bytes, after.size_bytes) or _fell(before.macs, after.macs):
        return
    why = []
    if after.sparsity > before.sparsity + _NOTICEABLE:
        why.append(f"{after.sparsity:.0%} zeros")
    if after.unique_weights <= _FEW_VALUES < before.unique_weights:
        why.append(f"{after.unique_weights} different values a tensor")
    if why:
        yield (
            f"smaller only when zipped, not faster: no kernel on {target.name} makes use of {' and '.join(why)}, "
            "and the memory of the loaded model stays"
        )
