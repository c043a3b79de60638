"""Find a sparse part of a PyTorch model that trains as well as the whole: prune, rewind, train again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.core.errors import ConfigurationError
from edgekit.passes._torch_sparsity import SparseTrainingPass, SparsityParams


@dataclass(frozen=True, kw_only=True)
class LotteryTicketParams(SparsityParams):
    """Parameters of `lottery_ticket`; `epochs` are those of each of its `rounds` + 1 trainings.

    Attributes:
        rounds: prunings by magnitude, each followed by a training; each leaves the same share of what is there.
        rewind: "weights" puts what stays back to its values at `rewind_step` (Frankle and Carbin 2019, arXiv
            1803.03635; Frankle et al. 2019, arXiv 1912.05671), "learning_rate" keeps the trained values and puts only
            the learning rate back (Renda et al. 2020, arXiv 2003.02389).
        rewind_step: optimizer step of the first training to go back to; 0 for the weights that it starts from.
        learning_rate_decay: "cosine" lets the learning rate fall to 0 over each training, "none" keeps it.
        control: to compare with: the last training starts from new random weights under the ticket's mask, and goes
            all the way. A ticket is worth its search where it beats that.
    """

    rounds: int = 3
    rewind: Literal["weights", "learning_rate"] = "weights"
    rewind_step: int = 0
    learning_rate_decay: Literal["cosine", "none"] = "cosine"
    control: bool = False


class LotteryTicket(SparseTrainingPass[LotteryTicketParams]):
    """The pass `lottery_ticket`."""

    name = "lottery_ticket"
    version = "1"
    params_type = LotteryTicketParams
    function = "edgekit.passes._torch.lottery:find"

    def _check(self, params: LotteryTicketParams) -> None:
        super()._check(params)
        for name, is_wrong, hint in (
            ("rounds", not 1 <= params.rounds <= 100, "take 1 to 100; each trains the model once more"),
            ("rewind_step", params.rewind_step < 0, "take 0 for the weights that the training starts from"),
            (
                "learning_rate_decay",
                params.rewind == "learning_rate" and params.learning_rate_decay == "none",
                'there is nothing to rewind then: take "cosine", or rewind = "weights"',
            ),
        ):
            if is_wrong:
                raise ConfigurationError(f"{self.name}.{name} is {getattr(params, name)!r}", hint=hint)


PASS = LotteryTicket()
