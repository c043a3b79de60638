"""Set weights of a PyTorch model to zero: by magnitude, movement, synaptic flow, chance or a rule of yours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from edgekit.core.errors import ConfigurationError
from edgekit.core.function_name import is_function_name
from edgekit.passes._pruning import check_schedule, check_shares
from edgekit.passes._torch_sparsity import SparseTrainingPass, SparsityParams

_CRITERIA = ("l1", "random", "movement", "synflow")
_SCHEDULE = ("initial_sparsity", "schedule", "begin", "end", "frequency", "power")


@dataclass(frozen=True, kw_only=True)
class TorchPruneParams(SparsityParams):
    """Parameters of `torch_prune`.

    Attributes:
        criterion: what a weight is kept by. "l1": its magnitude. "random": chance, to compare with. "movement": whether
            training moves it away from zero (Sanh et al. 2020, arXiv 2005.07683, hard movement pruning: scores add up
            over all steps, and a weight that was cut comes back where its score rises again). "synflow": how much it
            carries from the inputs to the outputs, found before training and without data (Tanaka et al. 2020, arXiv
            2006.05467). `package.module:function` of yours: called with the tensor's name and a copy of it at each cut,
            returns a tensor of its shape, higher for what stays.
        initial_sparsity: share at the start of a polynomial schedule.
        schedule: "polynomial" raises the sparsity step by step (Zhu and Gupta 2017, arXiv 1710.01878; cubic with a
            power of 3), "constant" asks for all of it from `begin` on, in one shot. Synaptic flow cuts before the first
            step, so it has no schedule.
        begin: share of the training after which pruning starts.
        end: share of the training after which nothing more is cut; the rest mends the accuracy.
        frequency: optimizer steps between two cuts, at most.
        power: exponent of the polynomial schedule.
        fine_tune: train for `epochs` with the masks, by the schedule; without it all is cut at once, and nothing is
            trained.
        synflow_rounds: rounds in which "synflow" comes to its sparsity, exponentially.
    """

    criterion: str = "l1"
    initial_sparsity: float = 0.0
    schedule: Literal["polynomial", "constant"] = "polynomial"
    begin: float = 0.0
    end: float = 0.7
    frequency: int = 10
    power: float = 3.0
    fine_tune: bool = True
    synflow_rounds: int = 100


class TorchPrune(SparseTrainingPass[TorchPruneParams]):
    """The pass `torch_prune`."""

    name = "torch_prune"
    version = "1"
    params_type = TorchPruneParams
    function = "edgekit.passes._torch.pruning:prune"

    def _check(self, params: TorchPruneParams) -> None:
        super()._check(params)
        check_shares(self.name, params, "initial_sparsity")
        check_schedule(self.name, params)
        if params.criterion not in _CRITERIA and not is_function_name(params.criterion):
            raise ConfigurationError(
                f"{self.name}.criterion is {params.criterion!r}",
                hint=f'take one of {", ".join(_CRITERIA)}, or name a function as in "package.module:function"',
            )
        if not 1 <= params.synflow_rounds <= 10_000:
            raise ConfigurationError(
                f"{self.name}.synflow_rounds is {params.synflow_rounds!r}", hint="take 1 to 10000; the paper takes 100"
            )
        if params.criterion == "movement" and not params.fine_tune:
            raise ConfigurationError(
                f"{self.name}.fine_tune is False, and movement learns from training",
                hint='take another criterion, such as "l1", or leave fine_tune out',
            )
        if params.criterion == "movement" and params.schedule == "constant" and params.begin == 0:
            raise ConfigurationError(
                f"{self.name}.begin is 0.0, where movement has nothing to judge by",
                hint='let it learn its scores first: begin = 0.3, or schedule = "polynomial"',
            )
        defaults = {field.name: field.default for field in fields(TorchPruneParams)}
        idle = [name for name in _SCHEDULE if getattr(params, name) != defaults[name]]
        if idle and (params.criterion == "synflow" or not params.fine_tune):
            why = "with synflow, which cuts before the training" if params.fine_tune else "without fine-tuning"
            raise ConfigurationError(f"{self.name}.{idle[0]} does nothing {why}", hint="leave it out")


PASS = TorchPrune()
