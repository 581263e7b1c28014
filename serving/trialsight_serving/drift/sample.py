"""Frames of one line and view as arrays, oldest first: what a look compares."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsight_serving.drift.measures import SIGNALS, Values
from trialsight_serving.store.drift import Seen


@dataclass(frozen=True)
class Sample:
    """`signals`: (N,) of each name, and `score`, NaN where a frame has none. `embeddings`: (N, C) of unit length, rows
    of NaN where a frame has none; C is 0 where the model gives no embedding."""

    seqs: NDArray[np.int64]
    signals: Mapping[str, Values]
    score: Values
    embeddings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.seqs)

    def newest(self, count: int) -> "Sample":
        """The last `count` frames."""
        signals = {name: values[-count:] for name, values in self.signals.items()}
        return Sample(self.seqs[-count:], signals, self.score[-count:], self.embeddings[-count:])

    @classmethod
    def of(cls, frames: Sequence[Seen]) -> "Sample":
        rows = [None if one.embedding is None else np.frombuffer(one.embedding, np.float16) for one in frames]
        width = max((len(row) for row in rows if row is not None), default=0)
        embeddings = np.full((len(frames), width), np.nan, np.float32)
        for index, row in enumerate(rows):
            if row is not None and len(row) == width:
                embeddings[index] = row
        return cls(
            seqs=np.array([one.seq for one in frames], np.int64),
            signals={name: _column([one.signals.get(name) for one in frames]) for name in SIGNALS},
            score=_column([one.score for one in frames]),
            embeddings=embeddings,
        )

    def to_bytes(self) -> bytes:
        """As an .npz, which `from_bytes` reads without pickle."""
        file = io.BytesIO()
        arrays = {f"signal_{name}": values for name, values in self.signals.items()}
        half = self.embeddings.astype(np.float16)
        np.savez_compressed(file, seqs=self.seqs, score=self.score, embeddings=half, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sample":
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            missing = np.full(len(found["seqs"]), np.nan)
            signals = {name: found.get(f"signal_{name}", missing) for name in SIGNALS}
            return cls(found["seqs"], signals, found["score"], found["embeddings"].astype(np.float32))


def pack(embedding: NDArray[np.float32] | None) -> bytes | None:
    """A frame's (C,) embedding as it is stored: half precision tells frames apart as well, at half the room."""
    return None if embedding is None else embedding.astype(np.float16).tobytes()


def _column(values: Sequence[float | None]) -> Values:
    return np.array([np.nan if value is None else value for value in values], np.float64)
