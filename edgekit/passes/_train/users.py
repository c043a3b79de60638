"""The user's own training loop, by its name."""

from __future__ import annotations

import importlib
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.progress import tell


def users_loop(name: str) -> Any:
    """Import the function that a parameter `loop` names, `package.module:function`.

    Raises:
        ConfigurationError: there is no such function.
    """
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as cause:
        raise ConfigurationError(
            f"there is no training loop {name!r}: {cause}",
            hint='name a function of a module that can be imported here, as in "package.module:function"',
        ) from cause
    tell(f"training with {name}")
    return function
