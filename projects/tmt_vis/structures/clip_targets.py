"""What one clip supervises."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        crowds: ``(T, H, W)`` bool, True where objects were annotated as a region and
            not one by one; None = nowhere.
        incomplete: ``(K,)`` bool, True for categories of which objects were left out;
            None = of none.
    """

    labels: Tensor
    masks: Tensor
    seed: int | None = None
    crowds: Tensor | None = None
    incomplete: Tensor | None = None

    def part(self, objects: Tensor | None, frames: slice) -> "ClipTargets":
        """Return some of the objects in some of the frames.

        Args:
            objects: ``(n,)`` int64 or ``(N,)`` bool, on the device of the masks; None =
                all.
            frames: of the clip.
        """
        labels, masks = self.labels, self.masks
        if objects is not None:
            labels, masks = labels[objects], masks[objects]
        crowds = None if self.crowds is None else self.crowds[frames]
        return replace(self, labels=labels, masks=masks[:, frames], crowds=crowds)

    def __len__(self) -> int:
        return len(self.labels)


def frame_targets(targets: Sequence[ClipTargets]) -> list[ClipTargets]:
    """Make a clip of each frame, of the objects with a pixel in it.

    All frames of a clip keep its seed: they are compared at the same points.

    Args:
        targets: of each clip.

    Returns:
        Targets of single frames, clip by clip.
    """
    frames = []
    for target, seen in zip(targets, presence(targets), strict=True):
        for number, objects in enumerate(seen.T):
            rows = torch.from_numpy(objects.nonzero()[0]).to(target.labels.device)
            frames.append(target.part(rows, slice(number, number + 1)))
    return frames


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
