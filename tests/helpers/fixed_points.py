"""A point sampler that always draws the same points, for comparing implementations."""

import torch

from tmt_vis.ops import PointSampler


class FixedPoints(PointSampler):
    """Hand out given points for every mask, stage, instance and frame.

    Args:
        points: (1, P, 2).
    """

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__(num_points=points.shape[1])
        self.points = points

    def matching_points(self, device, generator):
        """Return (1, P, 2)."""
        return self.points

    def loss_points(self, logits, generator):
        """Return (R, P, 2) for logits (R, 1, H, W)."""
        return self.points.expand(len(logits), -1, -1)
