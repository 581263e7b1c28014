"""Mean and deviation of the good parts' features, channel by channel."""

from torch import Tensor

# A channel that hardly ever speaks on good parts would, at unit deviation, shout down all others.
FLOOR = 0.1


def mean_and_deviation(features: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, h, w) to (C,) and (C,)."""
    deviation = features.std((0, 2, 3))
    return features.mean((0, 2, 3)), deviation.clamp(min=max(float(FLOOR * deviation.mean()), 1e-6))
