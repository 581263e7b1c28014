"""The one training loop of all detectors that have weights of their own."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trialsight.errors import TrialsightError


def optimise(
    network: nn.Module,
    loss_of: Callable[[torch.Generator], Tensor],
    steps: int,
    rate: float,
    seed: int,
    step: Callable[[], None] = lambda: None,
    decay: float = 1e-3,
) -> None:
    """AdamW (Loshchilov, Hutter 2019) with the learning rate rising over a tenth of `steps`, then falling to nothing.

    `loss_of` draws a batch by the generator that it is given. The network is in evaluation mode afterwards. Raises
    TrialsightError where the loss is no number.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    network.train()
    with torch.enable_grad():
        for _ in range(steps):
            loss = loss_of(generator)
            if not torch.isfinite(loss):
                raise TrialsightError(
                    "training came to numbers that are none",
                    "look at the training frames with `trialsight data check`, or take another detector",
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            step()
    network.eval().requires_grad_(False)
