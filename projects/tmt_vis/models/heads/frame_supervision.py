"""Supervision of frames that a host decodes one by one on the way to a video."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.structures import ClipTargets


class FrameTargets:
    """The targets of all frames of a batch, and the way back to the objects of clips.

    An object that is absent from a frame is no target there. All frames of a clip are
    compared at the points of its seed.

    Args:
        targets: of each clip.
        present: per clip ``(N, T)``, on the host.
    """

    def __init__(
        self, targets: Sequence[ClipTargets], present: Sequence[NDArray[np.bool_]]
    ) -> None:
        self._present = present
        self._rows = [
            [
                torch.from_numpy(np.flatnonzero(frame)).to(t.labels.device)
                for frame in p.T
            ]
            for t, p in zip(targets, present, strict=True)
        ]
        self.targets = [
            target.part(rows, slice(number, number + 1))
            for target, frames in zip(targets, self._rows, strict=True)
            for number, rows in enumerate(frames)
        ]

    def by_object(
        self, matches: Sequence[Tensor], stages: Sequence[int]
    ) -> list[Tensor]:
        """Turn the matches of frames into those of the objects of a clip.

        Args:
            matches: per frame ``(S, n)``, the query of each of its targets.
            stages: that are wanted.

        Returns:
            Per clip ``(len(stages), T, N)``; -1 where an object is absent.
        """
        found, left = [], iter(matches)
        for rows, present in zip(self._rows, self._present, strict=True):
            shape = (len(stages), *present.T.shape)
            clip = torch.full(shape, -1, device=matches[0].device)
            for number, objects in enumerate(rows):
                clip[:, number, objects] = next(left)[stages]
            found.append(clip)
        return found
