"""Fixtures of the tests of PyTorch passes."""

from __future__ import annotations

from tests.models.torch_digits import run_torch_pass, torch_model

__all__ = ["run_torch_pass", "torch_model"]
