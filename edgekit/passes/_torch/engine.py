"""PyTorch's engine for quantized layers, one setting of the whole process: set, checked, and set back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.core.errors import UnsupportedError

DEPRECATED = (
    "PyTorch's own quantization and its lite interpreter are deprecated: executorch_xnnpack and litert_torch are "
    "their successors."
)
"""For the notes of every pass that uses them."""

_SAID_BY_TORCH = (
    r"torch\.ao\.quantization is deprecated",
    r"(?s).*Lite Interpreter is deprecated",
    r"(?s).*`torch\.jit\.\w+` is (deprecated|not supported)",
    r"(?s).*torch\.quantize_per_(tensor|channel)",
    r"(?s).*(quint8|qint8|qint32).*(deprecated|removed)",
    r"(?s).*TypedStorage is deprecated",
)


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Quantize and run for one engine; the one before comes back, whatever happens.

    Args:
        name: "qnnpack", "x86" or "fbgemm"; its packed weights are in the result.

    Raises:
        UnsupportedError: this PyTorch does not have it.
    """
    import torch

    engines = torch.backends.quantized
    if name not in engines.supported_engines:
        known = ", ".join(each for each in engines.supported_engines if each != "none") or "none"
        raise UnsupportedError(
            f"this PyTorch ({torch.__version__}) has no engine {name!r}, only {known}",
            hint="install a PyTorch that is built with it, or choose another recipe: edgekit compile --help",
        )
    before, was_deterministic = engines.engine, torch.are_deterministic_algorithms_enabled()
    try:
        torch.use_deterministic_algorithms(False)  # noqa: FBT003 - the library's own signature
        engines.engine = name
        if engines.engine != name:
            raise UnsupportedError(
                f"PyTorch keeps the engine {engines.engine!r} when {name!r} is set", hint="choose another recipe"
            )
        with quiet():
            yield
    finally:
        engines.engine = before
        torch.use_deterministic_algorithms(was_deterministic)


@contextmanager
def deterministic() -> Iterator[None]:
    """For training within `engine`, which has to lift this for x86's integer kernels: they resize tensors in place."""
    import torch

    try:
        torch.use_deterministic_algorithms(True)  # noqa: FBT003 - the library's own signature
        yield
    finally:
        torch.use_deterministic_algorithms(False)  # noqa: FBT003 - the library's own signature


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch says at every use of its deprecated parts, which the user hears once, in our words."""
    with warnings.catch_warnings():
        for message in _SAID_BY_TORCH:
            warnings.filterwarnings("ignore", message=message)
        yield
