"""What a pass needs to know of a cache: the key that names a result, and the file that comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from edgekit.core.digest import sha256_json
from edgekit.core.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY_SCHEMA = 1
"""Part of every key; a new number makes all older entries unreachable."""


@dataclass(frozen=True, kw_only=True)
class CacheKey:
    """Everything that a pass's result depends on. All values must be plain JSON.

    Attributes:
        pass_name, pass_version: the code that does the work.
        params: every parameter, defaults filled in.
        input_digest: SHA-256 of the artifact that the pass reads.
        dataset_digest: SHA-256 of the data that it calibrates or trains on, None when it uses none.
        target_facts: what the pass asked of the target, e.g. {"dtypes": ["float32", "int8"]}.
        tool_versions: versions of the libraries that do the work.
    """

    pass_name: str
    pass_version: str
    params: Mapping[str, Any]
    input_digest: str
    dataset_digest: str | None
    target_facts: Mapping[str, Any]
    tool_versions: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the key's canonical JSON, 64 hex digits.

        Raises:
            InternalError: a value is not JSON, so that the key would not be the same tomorrow.
        """
        try:
            return sha256_json(self.as_json())
        except (TypeError, ValueError) as cause:
            raise InternalError(
                f"the cache key of pass {self.pass_name!r} is not plain JSON: {cause}",
                hint="build its params and target_facts from text, numbers, lists and mappings",
            ) from cause

    def as_json(self) -> dict[str, Any]:
        """The key as a JSON object, as it is kept beside the entry for people to read."""
        return {
            "schema": KEY_SCHEMA,
            "pass_name": self.pass_name,
            "pass_version": self.pass_version,
            "params": dict(self.params),
            "input_digest": self.input_digest,
            "dataset_digest": self.dataset_digest,
            "target_facts": dict(self.target_facts),
            "tool_versions": dict(self.tool_versions),
        }


@dataclass(frozen=True, kw_only=True)
class CachedFile:
    """The result of a pass.

    Attributes:
        path: the file; read only, and gone after a prune, so copy what has to stay.
        digest: SHA-256 of its content, 64 hex digits.
        size_bytes: bytes on disk.
        metadata: the JSON object that was put with it.
    """

    path: Path
    digest: str
    size_bytes: int
    metadata: Mapping[str, Any]


class Cache(Protocol):
    """Results of passes by key."""

    def get(self, key: CacheKey) -> CachedFile | None:
        """The file that was put under this key, its content verified, or None."""
        ...

    def put(self, key: CacheKey, file: Path, metadata: Mapping[str, Any]) -> CachedFile:
        """Keep a copy of a file under a key; the entry is there entirely or not at all."""
        ...
