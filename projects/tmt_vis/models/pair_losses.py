"""All losses of pairs of frames: detection, and contrast between both."""

from collections.abc import Sequence

import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from tmt_vis.assigners import FrameBoxes, QueryMatches
from tmt_vis.losses import (
    DetectionCriterion,
    MatchedPairs,
    PairContrast,
    restrict_logits,
)
from tmt_vis.typedefs import ConfigType, Losses

from .box_query_decoder import BoxQueries, BoxQueryDecoder
from .deformable_transformer import DeformableMemory
from .pair_targets import PairTargets


class PairLosses:
    """Match both frames, then compute the losses of the pairs (IDOL).

    Args:
        assigner: config of the matching; :class:`QuerySimOTAAssigner` by default.
        criterion: arguments of :class:`DetectionCriterion`, ``contrast`` those of
            :class:`PairContrast`.
    """

    def __init__(
        self, *, assigner: ConfigType | None = None, criterion: ConfigType | None = None
    ) -> None:
        assigner = dict(type="QuerySimOTAAssigner") | dict(assigner or {})
        self.assigner = TASK_UTILS.build(assigner)
        criterion = dict(criterion or {})
        self.contrast = PairContrast(**criterion.pop("contrast", {}))
        self.criterion = DetectionCriterion(**criterion)

    def __call__(
        self,
        decoder: BoxQueryDecoder,
        queries: BoxQueries,
        memory: DeformableMemory,
        targets: Sequence[PairTargets],
        *,
        keep: Tensor,
        injected: bool,
    ) -> Losses:
        """Compute the losses of ``B`` pairs.

        Args:
            decoder: whose heads predict.
            queries: of ``2 B`` frames, key and reference in turns.
            memory: of the key frames.
            targets: of each pair.
            keep: ``(B, K)`` bool, categories that are judged.
            injected: whether the queries that enter the decoder pay a loss as well.
        """
        key, reference = (queries.frames(slice(i, None, 2)) for i in (0, 1))
        logits, boxes = _predict(decoder, key, keep, first=0)
        there = _predict(decoder, reference, keep, first=-1)
        matches = self._match((logits, boxes), there, targets)
        pairs = MatchedPairs.of(
            [found.objects for found, *_ in matches],
            [len(target.key.labels) for target in targets],
            logits.device,
        )
        masks = _matched_masks(decoder, key, memory, pairs, targets)
        truth = [target.key for target in targets]
        losses = self.criterion(logits, boxes, masks, truth, pairs)
        losses |= self.contrast(
            decoder.embed_head(key.states[-1]),
            decoder.embed_head(reference.states[-1]),
            [t.compare(*match) for t, match in zip(targets, matches, strict=True)],
            [target.seed for target in targets],
        )
        if injected:
            # They have no boxes yet: the class loss at the matches of the first layer,
            # whose classifier they share.
            entering = decoder.classes(key.entering[None])
            entering = restrict_logits(entering, keep, no_object=False)
            losses |= self.criterion.taxonomy_loss(entering, boxes, truth, pairs)
        return losses

    def _match(
        self,
        key: tuple[Tensor, Tensor],
        reference: tuple[Tensor, Tensor],
        targets: Sequence[PairTargets],
    ) -> list[tuple[QueryMatches, QueryMatches, QueryMatches]]:
        """Match both frames of all pairs: the key, positives and near queries."""
        problems: list[FrameBoxes] = []
        for pair, target in enumerate(targets):
            both = ([x.detach()[:, pair] for x in frame] for frame in (key, reference))
            problems += target.to_match(*both)
        found = self.assigner.assign(problems)
        halves = zip(found[::2], found[1::2], strict=True)
        return [(*first, *second) for first, second in halves]


def _predict(
    decoder: BoxQueryDecoder, queries: BoxQueries, keep: Tensor, *, first: int
) -> tuple[Tensor, Tensor]:
    """Return class logits and boxes of the stages from ``first`` on."""
    logits = decoder.classes(queries.states[first:], first=first)
    logits = restrict_logits(logits, keep, no_object=False)
    return logits, decoder.boxes(queries, first=first)


def _matched_masks(
    decoder: BoxQueryDecoder,
    queries: BoxQueries,
    memory: DeformableMemory,
    pairs: MatchedPairs,
    targets: Sequence[PairTargets],
) -> Tensor:
    """Compute the masks of all matched queries, ``(n, H/4, W/4)``."""
    centers = torch.stack([points[..., :2] for points in queries.references])
    rows = pairs.stage, pairs.frame, pairs.query
    inputs = (pairs.split(x[rows]) for x in (queries.states, centers))
    features = decoder.frame_features(memory)
    sizes = [target.image_size for target in targets]
    frames = zip(*inputs, features, sizes, strict=True)
    return torch.cat([decoder.masks(*frame) for frame in frames])
