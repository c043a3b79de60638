"""Fixtures of the passes' tests."""

from __future__ import annotations

from tests.models.digits_models import digits_model, made, run_pass

__all__ = ["digits_model", "made", "run_pass"]
