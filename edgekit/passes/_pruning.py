"""What the passes that prune share on this side, whatever the framework: the limits of their parameters."""

from __future__ import annotations

from typing import Any

from edgekit.core.errors import ConfigurationError


def check_shares(pass_name: str, params: Any, *names: str) -> None:
    """Refuse a sparsity that leaves nothing, or less than nothing.

    Args:
        pass_name: for messages.
        params: with the tables `layers` and `types`, name -> sparsity.
        names: of further parameters that are sparsities.

    Raises:
        ConfigurationError: a sparsity is below 0, or 1 and more.
    """
    shares: dict[str, float] = {name: getattr(params, name) for name in names}
    for table in ("layers", "types"):
        shares |= {f"{table}[{name!r}]": value for name, value in getattr(params, table).items()}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ConfigurationError(
                f"{pass_name}.{name} is {share!r}", hint="take a share from 0 up to 1, 1 excluded: 0.8 is a lot"
            )


def check_schedule(pass_name: str, params: Any) -> None:
    """Refuse a schedule (`begin`, `end`, `frequency`, `power`) that never cuts.

    Raises:
        ConfigurationError: it never does.
    """
    for name, is_wrong, hint in (
        ("begin", not 0 <= params.begin < 1, "take a share of the training from 0 up to 1"),
        ("end", not params.begin < params.end <= 1, "take a share of the training after begin, 1 at most"),
        ("frequency", params.frequency < 1, "cut every 1 or more steps"),
        ("power", not 0 < params.power <= 100, "take 3 for a quick start that slows down, 1 for a straight line"),
    ):
        if is_wrong:
            raise ConfigurationError(f"{pass_name}.{name} is {getattr(params, name)!r}", hint=hint)
