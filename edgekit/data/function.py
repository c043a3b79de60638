"""A function of the user's own, `package.module:function`, that returns x or (x, y); it runs in a child process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.isolation import Isolate
from edgekit.data._base import Loader, RawSamples, Request
from edgekit.data.npz import Archive

if TYPE_CHECKING:
    from edgekit.core.dataset import DatasetSpec


class _Function(Loader):
    def matches(self, spec: DatasetSpec) -> bool:
        return spec.function is not None

    def _load(self, request: Request) -> RawSamples:
        with tempfile.TemporaryDirectory(prefix="edgekit-data-") as folder, Isolate(user_code=True) as isolate:
            path = Path(folder) / "samples.npz"
            params = {"function": request.spec.function, "folder": str(request.folder.resolve()), "path": str(path)}
            try:
                isolate.call("edgekit.data._user_function:save", params, what=f"running {request.spec}")
            except UnsupportedError as cause:  # the child died, which is the user's code's doing here
                raise InputError(cause.message, hint="call it in Python from its folder", **cause.details) from cause
            with Archive(path) as archive:
                inputs = tuple(archive.read(name) for name in archive.names if name != "y")
                return RawSamples(inputs=inputs, labels=archive.read("y") if "y" in archive.names else None)


LOADER = _Function()
