"""The operators: each module defines `LOWERINGS`, from the operators' names in the file format to their translation."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from edgekit.mcu.ops._base import Lower


@cache
def lowerings() -> Mapping[str, Lower]:
    """Every operator that the compiler translates, by its name, e.g. "CONV_2D"."""
    found: dict[str, Lower] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            found.update(importlib.import_module(f"{__name__}.{module.name}").LOWERINGS)
    return dict(sorted(found.items()))
