"""What TensorFlow and Keras import only because it is there, and edgekit's children do without.

With jax, scikit-learn, pandas and SciPy beside it, `import tf_keras` took 10.6 s of processor time and 812 MB on two
busy cores; without them it takes 7.2 s and 592 MB. They are hidden only while a framework is imported: a pass that
needs one of them gets it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_FRAMEWORKS = frozenset({"keras", "tensorflow", "tf_keras"})
_SPARED = ("jax", "pandas", "scipy", "sklearn")
"""Each stands in a `try: import ... except ImportError` there, for functions that no pass calls."""


def install() -> None:
    """From now on a framework is imported without them."""
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _FRAMEWORKS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, found: Loader) -> None:
        self._found = found

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._found.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._found  # who asks a module for its files finds the loader that has them
        if module.__spec__ is not None:
            module.__spec__.loader = self._found
        with _hidden():
            self._found.exec_module(module)


@contextmanager
def _hidden() -> Iterator[None]:
    hidden = [name for name in _SPARED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: "there is no such module"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
