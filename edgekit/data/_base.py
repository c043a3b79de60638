"""What every loader takes and gives back, and the rules that hold for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import InputError, InternalError
from edgekit.core.files import require_readable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgekit.core.dataset import DatasetSpec
    from edgekit.core.preprocessing import Preprocessing

MAX_BYTES = 4 * 2**30
"""No data set takes more memory than this; a sample of it judges as well."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A data set to load.

    Attributes:
        spec: what the user named.
        preprocessing: how image files become arrays: resize, layout, color.
        limit: at most this many samples, None for all; a loader may leave the choice to its caller.
        skip_bad: how many samples that cannot be read are left out with a warning.
        folder: where the user's own modules are.
    """

    spec: DatasetSpec
    preprocessing: Preprocessing
    limit: int | None
    skip_bad: int
    folder: Path

    @property
    def path(self) -> Path:
        """The file or folder; only loaders of paths ask."""
        if self.spec.path is None:
            raise InternalError(f"{self.spec} was given to a loader of files")
        return self.spec.path


@dataclass(frozen=True, kw_only=True)
class RawSamples:
    """Samples as they are stored, before preprocessing and before any check of their values.

    Attributes:
        inputs: one array per model input; the first axis is the sample.
        labels: as stored, None when there are none.
        class_names: in label order, empty when unknown.
        warnings: what was left out, one sentence each.
    """

    inputs: tuple[NDArray[Any], ...]
    labels: NDArray[Any] | None = None
    class_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Loader(ABC):
    """Reads one kind of data set; a module defines `LOADER`, an instance."""

    @abstractmethod
    def matches(self, spec: DatasetSpec) -> bool:
        """Whether this loader reads it, judged by content, never by the name alone."""

    def load(self, request: Request) -> RawSamples:
        """Read the samples.

        Raises:
            InputError: the data set cannot be used.
            VerificationError: it is damaged or unsafe to open.
        """
        try:
            return self._load(request)
        except MemoryError as cause:
            raise InputError(
                f"{request.spec} does not fit into memory", hint="give a smaller file or a limit"
            ) from cause
        except OSError as cause:
            raise InputError(
                f"{request.spec} cannot be read: {cause.strerror or cause}", hint="check the path"
            ) from cause

    @abstractmethod
    def _load(self, request: Request) -> RawSamples: ...


def first_bytes(spec: DatasetSpec, count: int) -> bytes:
    """The start of a file, nothing for a folder or a function."""
    if spec.path is None or spec.path.is_dir():
        return b""
    require_readable(spec.path, what="data set")
    with spec.path.open("rb") as file:
        return file.read(count)
