"""Is this the product at all? Cosine distance of a frame's mean feature from that of the training frames."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsight.reason import Reason

# With the shipped backbone, defects of five real products stay within 0.03 of the mean and 1.5 times the furthest good
# part; another product lies 0.033 away or more, and 2.7 times the furthest good part.
SLACK, FLOOR = 2.0, 0.025


@dataclass(frozen=True)
class Likeness:
    """`center`: (C,) mean of the training frames' unit embeddings. `limit`: largest cosine distance that is taken."""

    center: tuple[float, ...]
    limit: float

    def fault(self, embedding: NDArray[np.float32]) -> Reason | None:
        """Why a frame with this (C,) embedding of unit length must not be judged, or None."""
        distance = 1.0 - float(embedding @ self._direction)
        if not distance <= self.limit:  # a NaN is no likeness either
            return Reason("wrong_product", value=distance, limit=self.limit)
        return None

    @cached_property
    def _direction(self) -> NDArray[np.float32]:
        """The centre at unit length."""
        center = np.array(self.center)
        return np.asarray(center / max(float(np.linalg.norm(center)), 1e-12), np.float32)


def learn_likeness(embeddings: ArrayLike) -> Likeness:
    """From the good training frames' (N, C) unit embeddings; each is measured against the mean of the others."""
    rows = np.asarray(embeddings, np.float64)
    total = rows.sum(axis=0)
    furthest = max((_distance(row, total - row) for row in rows), default=0.0) if len(rows) > 1 else 0.0
    center = tuple(float(f"{value:.6g}") for value in total / len(rows))
    return Likeness(center, max(SLACK * furthest, FLOOR))


def _distance(one: ArrayLike, other: ArrayLike) -> float:
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return 1.0 - float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
