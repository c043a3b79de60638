"""What a look into a model said before is remembered by the model's digest: the same bytes are not read twice.

A model file is never parsed in the user's own process. The child process that parses it takes longer to start than
everything else that a compilation from the cache does, so its answers are kept like the results of passes.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import __version__
from edgekit.core.caching import CacheKey
from edgekit.core.digest import sha256_file, sha256_json, sha256_path
from edgekit.core.events import OnEvent, ignore
from edgekit.core.isolation import DEFAULT_TIMEOUT_S, Isolate, OnAsk
from edgekit.core.registry import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.core.caching import Cache

_PACKAGE = Path(__file__).parents[1]
_READERS = ("sources/*.py", "core/*.py", "core/tflite/*.py", "bundle/*.py", "flows/_child.py")
_REMEMBERED = {
    "edgekit.sources._child:recognise": "recognise",
    "edgekit.flows._child:facts": "facts",
}
"""Functions whose answer depends on nothing but the bytes and the name of the file at `path`."""


class Remembering(Isolate):
    """A child process that is only asked what it was not asked before of the same bytes.

    Args:
        isolate: the child process; it starts with its first question.
        cache: where answers are kept; each is verified when it is read.
        work: folder for a file that is on its way into the cache.
    """

    def __init__(self, isolate: Isolate, cache: Cache, work: Path) -> None:
        super().__init__()
        self._isolate, self._cache, self._work = isolate, cache, work

    def call(
        self,
        function: str,
        params: Mapping[str, Any],
        *,
        what: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        on_event: OnEvent = ignore,
        on_ask: OnAsk | None = None,
    ) -> Any:
        """As `Isolate.call`; answers to the questions in `_REMEMBERED` come from the cache where they are known."""
        name = _REMEMBERED.get(function)
        if name is None or not _only_built_in():
            return self._isolate.call(
                function, params, what=what, timeout_s=timeout_s, on_event=on_event, on_ask=on_ask
            )
        path = Path(params["path"])
        key = _key(name, path)
        if (found := self._cache.get(key)) is not None:
            return json.loads(found.path.read_bytes())
        answer = self._isolate.call(function, params, what=what, timeout_s=timeout_s, on_event=on_event)
        if sha256_path(path) == key.input_digest:  # else the source has rewritten its copy, and must do so again
            file = self._work / f"{name}-{key.digest[:12]}.json"
            file.write_text(json.dumps(answer), encoding="utf-8")
            self._cache.put(key, file, {})
        return answer


def _key(name: str, path: Path) -> CacheKey:
    return CacheKey(
        pass_name=f"read-{name}",
        pass_version="1",
        params={"name": path.name},
        input_digest=sha256_path(path),
        dataset_digest=None,
        target_facts={},
        tool_versions={"edgekit": __version__, "reader": _reader_digest()},
    )


@cache
def _reader_digest() -> str:
    """SHA-256 over the code that reads models: an answer is no better than the checks that it went through."""
    files = sorted(file for pattern in _READERS for file in _PACKAGE.glob(pattern))
    return sha256_json({file.relative_to(_PACKAGE).as_posix(): sha256_file(file) for file in files})


def _only_built_in() -> bool:
    """Whether no source is a plug-in, of which we would not know when its code changes."""
    return all(file.parent == _PACKAGE / "sources" for file in SOURCES.files().values())
