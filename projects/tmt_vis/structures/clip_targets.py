"""What one clip supervises."""

from dataclasses import dataclass

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

    def __len__(self) -> int:
        return len(self.labels)
