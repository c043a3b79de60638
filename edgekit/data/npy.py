"""A `.npy` file: samples without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.data._base import Loader, RawSamples, Request, first_bytes
from edgekit.data._npy_format import MAGIC, read_array

if TYPE_CHECKING:
    from edgekit.core.dataset import DatasetSpec


class _Npy(Loader):
    def matches(self, spec: DatasetSpec) -> bool:
        return first_bytes(spec, len(MAGIC)) == MAGIC

    def _load(self, request: Request) -> RawSamples:
        with request.path.open("rb") as file:
            array = read_array(file, request.path.stat().st_size, what=request.path.name)
        return RawSamples(inputs=(array,))


LOADER = _Npy()
