"""How much a call of a search may spend, and whether another trial may begin."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The budget of one call.

    Attributes:
        trials: most trials of the study in all, those of earlier calls counted; None for no limit.
        seconds: wall-clock time of this call, s; None for no limit.
    """

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            raise UsageError(
                "a search needs an end", hint="say how many trials (--trials) or minutes (--budget-minutes)"
            )
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"a search of {self.trials} trials tries nothing", hint="give --trials 1 or more")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"a budget of {self.seconds:g} s is over at once", hint="give --budget-minutes above 0")

    def trials_are_spent(self, begun: int) -> bool:
        """Whether no further trial may begin, with so many begun."""
        return self.trials is not None and begun >= self.trials

    def time_is_over(self, elapsed_s: float) -> bool:
        """Whether the time is over."""
        return self.seconds is not None and elapsed_s >= self.seconds

    def left_s(self, elapsed_s: float) -> float | None:
        """Time until it is over, at least 0; None without a limit."""
        return None if self.seconds is None else max(0.0, self.seconds - elapsed_s)
