"""The features of the frames that a window needs."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor


class FrameFeatures(Protocol):
    """Features of ``F`` frames, whatever they are."""

    num_frames: int

    def tensors(self) -> list[Tensor]:
        """List the tensors, ``(F, ...)`` each."""

    def with_tensors(self, tensors: Iterable[Tensor]) -> "FrameFeatures":
        """Build features of other tensors in the order of the list."""


class FeatureBuffer:
    """The features of the latest frames, chunk by chunk.

    Args:
        length: Frames that are needed; up to a chunk more are kept.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._chunks: list[FrameFeatures] = []

    def add(self, chunk: FrameFeatures) -> None:
        """Append a chunk and forget the chunks that lie before the latest frames."""
        self._chunks.append(chunk)
        while sum(c.num_frames for c in self._chunks[1:]) >= self._length:
            del self._chunks[0]

    def latest(self, count: int) -> FrameFeatures:
        """Return the features of the latest frames."""
        parts = zip(*(chunk.tensors() for chunk in self._chunks), strict=True)
        return self._chunks[0].with_tensors(_latest(x, count) for x in parts)


def _latest(parts: Sequence[Tensor], count: int) -> Tensor:
    # The last bits of what follows depend on strides and alignment, so this is laid
    # out as for a whole video: the chunk itself, or a fresh tensor.
    while sum(map(len, parts[1:])) >= count:
        parts = parts[1:]
    surplus = sum(map(len, parts)) - count
    first, *rest = parts
    return torch.cat([first[surplus:], *rest]) if rest else first[surplus:]


def join_features(chunks: Iterable[FrameFeatures], count: int) -> FrameFeatures:
    """Join the features of all frames, with only one chunk of them twice in memory.

    Args:
        chunks: Of some frames each, in order.
        count: Frames of all chunks.

    Raises:
        ValueError: If the chunks hold another number of frames.
    """
    joined, done = None, 0
    for chunk in chunks:
        if chunk.num_frames == count:
            return chunk
        tensors = chunk.tensors()
        if joined is None:
            joined = [x.new_empty((count, *x.shape[1:])) for x in tensors]
        for whole, part in zip(joined, tensors, strict=True):
            whole[done : done + len(part)] = part
        done += chunk.num_frames
    if done != count:
        raise ValueError(f"a video of {count} frames was announced, got {done} frames")
    return chunk.with_tensors(joined)
