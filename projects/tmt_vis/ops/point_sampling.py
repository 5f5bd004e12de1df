"""Points at which masks are compared instead of at every pixel (PointRend)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tmt_vis.typedefs import Size


def sample_points(values: Tensor, points: Tensor) -> Tensor:
    """Read maps at continuous points, bilinear with zero padding.

    Points are ``(x, y)`` in ``[0, 1]`` of the image; pixel centres lie at
    ``(i + 0.5) / size`` (``align_corners=False``), as in PointRend.

    Args:
        values: ``(R, C, H, W)``.
        points: ``(R, P, 2)``.

    Returns:
        ``(R, C, P)``.
    """
    grid = points.to(values.dtype).unsqueeze(2) * 2 - 1
    return F.grid_sample(values, grid, align_corners=False).squeeze(-1)


def sample_shared_points(values: Tensor, points: Tensor) -> Tensor:
    """Read all maps at the same points: :func:`sample_points`, channels last.

    On CPUs a bilinear sample is a weighted sum of four rows of a channels-last table,
    the transposition included 5 times as fast as ``grid_sample`` (2 maps of 256
    channels, 96x160, 12,544 points, one thread: 19 instead of 95 ms).

    Args:
        values: ``(R, C, H, W)``.
        points: ``(P, 2)``.

    Returns:
        ``(R, P, C)``.
    """
    if not values.is_cpu:
        shared = points.expand(len(values), -1, -1)
        return sample_points(values, shared).transpose(1, 2)
    channels, height, width = values.shape[1:]
    table = values.new_empty(len(values), height * width, channels)
    # Matrix by matrix, for which copy_ has a fast path (2.3 times as fast).
    for rows, pixels in zip(table, values, strict=True):
        rows.copy_(pixels.flatten(1).T)
    cells, weights = _corners(points, (height, width))
    first = torch.arange(0, len(values) * height * width, height * width)
    bags = F.embedding_bag(
        (first.to(torch.int32)[:, None, None] + cells).flatten(0, 1),
        table.flatten(0, 1),
        mode="sum",
        per_sample_weights=weights.to(values.dtype).repeat(len(values), 1),
    )
    return bags.unflatten(0, (len(values), -1))


def _corners(points: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Return the four pixels around each point and their weights, ``(P, 4)`` each."""
    height, width = size
    sides = points.new_tensor([width, height])
    position = points * sides - 0.5
    low = position.floor()
    fraction = (position - low).unsqueeze(1)
    step = points.new_tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
    corner = low.unsqueeze(1) + step  # (P, 4, 2)
    inside = ((corner >= 0) & (corner < sides)).all(-1)
    weights = torch.where(step > 0, fraction, 1 - fraction).prod(-1)
    x, y = corner.clamp(min=0).minimum(sides - 1).unbind(-1)
    # Exact in float32: maps have fewer than 2**24 pixels.
    return (y * width + x).to(torch.int32), weights * inside


def clip_generator(seed: int | None, device: torch.device) -> torch.Generator | None:
    """Make the random generator of one clip.

    Points that depend on the clip only make a run independent of how clips are
    distributed over processes, and exactly resumable.

    Args:
        seed: the ``clip_seed`` of the sample; None uses torch's global generator.
        device: where the points are drawn.
    """
    if seed is None:
        return None
    return torch.Generator(device=device).manual_seed(seed)


class PointSampler:
    """Draw the points of the matching cost and of the mask losses.

    Args:
        num_points: ``P`` (12,544 = 112 x 112 in Mask2Former).
        oversample_ratio: candidates drawn per point kept.
        importance_ratio: share of points that are the most uncertain candidates.
    """

    def __init__(
        self,
        *,
        num_points: int = 12544,
        oversample_ratio: float = 3.0,
        importance_ratio: float = 0.75,
    ) -> None:
        if num_points < 1:
            raise ValueError(
                f"num_points must be >= 1, got {num_points}; Mask2Former uses 12544"
            )
        if oversample_ratio < 1 or not 0 <= importance_ratio <= 1:
            raise ValueError(
                "oversample_ratio must be >= 1 and importance_ratio in [0, 1], got "
                f"{oversample_ratio} and {importance_ratio}; Mask2Former uses 3, 0.75"
            )
        self.num_points = num_points
        self.num_candidates = int(num_points * oversample_ratio)
        self.num_uncertain = int(num_points * importance_ratio)

    def matching_points(
        self, device: torch.device, generator: torch.Generator | None
    ) -> Tensor:
        """Draw the points of one clip, shared by its frames, queries and stages.

        Returns:
            ``(1, P, 2)`` in ``[0, 1]``.
        """
        return torch.rand(1, self.num_points, 2, device=device, generator=generator)

    def loss_points(self, logits: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw points for each mask, most of them where the mask is undecided.

        Args:
            logits: ``(R, 1, H, W)`` mask logits.
            generator: generator of the clip.

        Returns:
            ``(R, P, 2)`` in ``[0, 1]``.
        """
        rows, device = logits.shape[0], logits.device
        candidates = torch.rand(
            rows, self.num_candidates, 2, device=device, generator=generator
        )
        uncertainty = -sample_points(logits, candidates).squeeze(1).abs()
        # The loss sums over the points, so nobody needs them in order; sorting takes
        # half of topk's time on a CPU.
        chosen = uncertainty.topk(self.num_uncertain, dim=1, sorted=False).indices
        uncertain = candidates.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 2))
        num_random = self.num_points - self.num_uncertain
        uniform = torch.rand(rows, num_random, 2, device=device, generator=generator)
        return torch.cat([uncertain, uniform], dim=1)
