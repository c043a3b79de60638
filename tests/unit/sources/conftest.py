"""What the tests of this folder share."""

from tests.models.fixtures import framework_models, isolate, torch_files

__all__ = ["framework_models", "isolate", "torch_files"]
