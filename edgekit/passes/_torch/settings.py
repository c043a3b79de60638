"""PyTorch made to give the same bytes for the same input, on any machine of one kind."""

from __future__ import annotations


def settle(seed: int = 0) -> None:
    """Seeds, one thread and deterministic kernels; call it before a model is built.

    The order of floating-point sums depends on the number of threads, so it is fixed; small models run no slower.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # one opaque operator, which phones do not have
    torch.use_deterministic_algorithms(True)  # noqa: FBT003 - the library's own signature
