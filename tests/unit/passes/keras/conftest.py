"""What the tests of this folder share."""

from tests.models.fixtures import isolate

__all__ = ["isolate"]
