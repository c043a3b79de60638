"""Whether a module's way depends on the values of its inputs, which no trace can follow; and in which line it does.

torch.jit.trace warns of every tensor that becomes a Python value, those of shapes and constants too. Here the values
are followed from the inputs on, so that only what really depends on the samples is refused.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.loading import run_once

_OURS = Path(__file__).resolve().parents[2]
_TAKES_A_VALUE = ("_local_scalar_dense", "equal")


def check_control_flow(module: Any, inputs: Sequence[Any], *, name: str) -> None:
    """Refuse a module that takes Python values out of tensors which depend on its inputs.

    Raises:
        UnsupportedError: it does; with the line of the user's code.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    mode: Any = TorchDispatchMode

    class Following(mode):
        def __init__(self) -> None:
            super().__init__()
            self.followed = {id(tensor): tensor for tensor in inputs}  # held, so that no id comes twice
            self.found: UnsupportedError | None = None

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if any(id(leaf) in self.followed for leaf in tree_leaves((args, kwargs))):
                if func.overloadpacket.__name__ in _TAKES_A_VALUE and self.found is None:
                    self.found = _refusal(name)
                self.followed.update({id(leaf): leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)})
            return result

    following = Following()
    with following:
        run_once(module, inputs, name=name)
    if following.found is not None:
        raise following.found


def _refusal(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"the control flow of {name} depends on its inputs{_line()}: PyTorch Mobile runs one fixed path",
        hint="compute both ways and choose with torch.where, or keep the value in a tensor",
    )


def _line() -> str:
    """The innermost line of the user's own code that is running, as " (model.py, line 12: if x.sum() > 0:)"."""
    here = Path.cwd()
    for frame in reversed(traceback.extract_stack()):
        file = Path(frame.filename).resolve()
        if file.is_relative_to(here) and "site-packages" not in file.parts and not file.is_relative_to(_OURS):
            return f" ({file.relative_to(here)}, line {frame.lineno}: {frame.line})"
    return ""
