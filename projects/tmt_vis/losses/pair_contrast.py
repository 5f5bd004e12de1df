"""Contrastive losses between the two frames of a pair (IDOL, Sec. 3.2)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from mmengine.dist import all_reduce
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.typedefs import Losses

from .embedding_losses import contrastive_losses


class PairMatches(NamedTuple):
    """The queries of the objects that both frames show, on the host.

    Args:
        key: ``(n,)`` int64 query of each object in the key frame.
        positives: ``(n, Q)`` bool, its queries in the reference frame.
        near: ``(n, Q)`` bool, the queries there that are no negatives.
    """

    key: NDArray[np.int64]
    positives: NDArray[np.bool_]
    near: NDArray[np.bool_]


class PairContrast:
    """Compare the objects of the key frame with the queries of the reference frame.

    Args:
        weight: of ``loss_reid``, in which positives compete with all negatives.
        cosine_weight: of ``loss_reid_aux``, the distance of cosines to 0 and 1.
        negatives_per_positive: negatives of the second; so many for an object without
            a positive as well.
        negatives: ``random`` ones, or the ``first``, which makes a step repeatable
            without a seed.

    Raises:
        ValueError: on other ``negatives``.
    """

    def __init__(
        self,
        *,
        weight: float = 2.0,
        cosine_weight: float = 3.0,
        negatives_per_positive: int = 10,
        negatives: Literal["random", "first"] = "random",
    ) -> None:
        if negatives not in ("random", "first"):
            raise ValueError(
                f"negatives must be 'random' or 'first', got {negatives!r}"
            )
        self.weight, self.cosine_weight = weight, cosine_weight
        self.negatives_per_positive = negatives_per_positive
        self.negatives = negatives

    def __call__(
        self,
        key: Tensor,
        reference: Tensor,
        matches: Sequence[PairMatches],
        seeds: Sequence[int | None],
    ) -> Losses:
        """Compute both losses, averaged over the objects of all pairs.

        Args:
            key: ``(B, Q, C)`` embeddings in the key frames.
            reference: ``(B, Q, C)`` in the reference frames.
            matches: of each pair.
            seeds: of each pair, for the choice of negatives; None draws from NumPy's
                global generator.
        """
        total = 0 * (key.sum() + reference.sum())  # a pair without objects
        sums = torch.stack([total, total])
        for pair, (match, seed) in enumerate(zip(matches, seeds, strict=True)):
            queries, *masks = self._on_device(match, seed, key.device)
            parts = contrastive_losses(key[pair][queries], reference[pair], *masks)
            sums = sums + torch.stack([part.sum() for part in parts])
        count = key.new_tensor(float(sum(len(match.key) for match in matches)))
        all_reduce(count, op="mean")
        contrast, cosine = sums / count.clamp(min=1)
        return {
            "loss_reid": self.weight * contrast,
            "loss_reid_aux": self.cosine_weight * cosine,
        }

    def _on_device(
        self, match: PairMatches, seed: int | None, device: torch.device
    ) -> list[Tensor]:
        negatives = ~match.near
        compared = self._compared(negatives, match.positives.sum(1), seed)
        arrays = match.key, match.positives, negatives, compared
        return [torch.from_numpy(x).to(device, non_blocking=True) for x in arrays]

    def _compared(
        self,
        negatives: NDArray[np.bool_],
        positives: NDArray[np.int64],
        seed: int | None,
    ) -> NDArray[np.bool_]:
        """Choose the negatives of each object whose cosine counts."""
        if self.negatives == "first":
            rank = np.cumsum(negatives, 1) - 1
        else:
            random = np.random if seed is None else np.random.default_rng(seed)
            noise = np.where(negatives, random.random(negatives.shape), 2.0)
            rank = noise.argsort(1).argsort(1)
        limit = self.negatives_per_positive * np.maximum(positives, 1)
        return negatives & (rank < limit[:, None])
