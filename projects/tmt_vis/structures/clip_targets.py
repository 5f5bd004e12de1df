"""What one clip supervises."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class ClipTargets:
    """The ground truth of one clip, in the joint taxonomy.

    Args:
        labels: ``(N,)`` int64, ``union_id`` of each instance.
        masks: ``(N, T, H, W)`` bool at the padded input size.
        seed: seed of the points drawn for this clip; None draws from torch's global
            generator.
    """

    labels: Tensor
    masks: Tensor
    seed: int | None = None

    def part(self, objects: Tensor, frames: slice) -> "ClipTargets":
        """Return some of the objects in some of the frames.

        Args:
            objects: ``(n,)`` int64, on the device of the masks.
            frames: of the clip.
        """
        masks = self.masks[objects][:, frames]
        return ClipTargets(self.labels[objects], masks, self.seed)

    def __len__(self) -> int:
        return len(self.labels)


def presence(targets: Sequence[ClipTargets]) -> list[NDArray[np.bool_]]:
    """Tell on the host which objects have a pixel in which frames, with one copy.

    Args:
        targets: of each clip.

    Returns:
        Per clip ``(N, T)``.
    """
    seen = [target.masks.flatten(2).any(-1) for target in targets]
    flat = torch.cat([x.flatten() for x in seen]).cpu().numpy()
    parts = np.split(flat, np.cumsum([x.numel() for x in seen])[:-1])
    return [part.reshape(x.shape) for part, x in zip(parts, seen, strict=True)]
