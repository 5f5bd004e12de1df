"""How the queries of a host learn: stages, matching and losses as one part."""

from collections.abc import Sequence

import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from tmt_vis.losses import (
    SetCriterion,
    StageKind,
    StagePredictions,
    TaxonomyLossPlan,
    plan_stages,
    restrict_logits,
)
from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipTargets
from tmt_vis.typedefs import ConfigType, Losses

from .query_decoder import StageOutput
from .taxonomy import TaxonomyInjectionModule


class QuerySupervision:
    """Match the predictions of all stages and compute their losses (Eq. 8).

    Args:
        criterion: arguments of :class:`SetCriterion`; ``points`` those of
            :class:`PointSampler`, ``taxonomy_loss`` those of
            :class:`TaxonomyLossPlan`.
        assigner: config of the assigner.
        num_layers: decoder layers.
        injection: of the host; None: the plain host.

    Raises:
        ValueError: if stages with different numbers of queries would be compared.
    """

    def __init__(
        self,
        *,
        criterion: ConfigType | None,
        assigner: ConfigType | None,
        num_layers: int,
        injection: TaxonomyInjectionModule | None,
    ) -> None:
        options = dict(criterion or {})
        plan = TaxonomyLossPlan(**options.pop("taxonomy_loss", {}))
        points = PointSampler(**options.pop("points", {}))
        weights = loss_weights(criterion)
        weights.pop("comp")  # of the guidance
        options["loss_weights"] = weights
        self.criterion = SetCriterion(points=points, **options)
        kind = dict(type="TaxoHungarianAssigner")
        self.assigner = TASK_UTILS.build(kind | dict(assigner or {}))
        injected = () if injection is None else injection.injected_layers
        self.stages = plan_stages(num_layers, injected, plan)
        kinds = {stage.kind for stage in self.stages}
        mixed = {StageKind.INITIAL, StageKind.INJECTED} <= kinds
        if mixed and injection is not None and not injection.keeps_query_count:
            raise ValueError(
                "concatenation changes the number of queries, so the queries before "
                "and after it cannot both predict; use taxonomy_loss.target="
                "'replace_aux0'"
            )

    def losses(
        self,
        outputs: Sequence[StageOutput],
        mask_features: Tensor,
        targets: Sequence[ClipTargets],
        class_keep: Tensor,
    ) -> Losses:
        """Compute the losses of a batch of ``B`` clips.

        Args:
            outputs: of :attr:`stages`.
            mask_features: ``(B, T, C, H, W)``.
            targets: of each clip.
            class_keep: ``(B, K)`` bool, the categories that may be matched and
                supervised.

        Returns:
            Weighted losses by name.
        """
        class_logits = torch.stack([o.class_logits for o in outputs])
        predictions = StagePredictions(
            class_logits=restrict_logits(class_logits, class_keep),
            mask_embeds=torch.stack([o.mask_embeds for o in outputs]),
            mask_features=mask_features,
        )
        assignment = self._assign(predictions, targets)
        with torch.autocast(class_logits.device.type, enabled=False):
            return self.criterion(predictions, targets, assignment, self.stages)

    def _assign(
        self, predictions: StagePredictions, targets: Sequence[ClipTargets]
    ) -> list[Tensor]:
        matches = self.assigner.assign(
            predictions.class_logits.detach(),
            predictions.mask_embeds.detach(),
            predictions.mask_features.detach(),
            targets,
            self.criterion.points,
        )
        reuse = [i for i, s in enumerate(self.stages) if not s.own_assignment]
        for match in matches:
            match[reuse] = match[-1].clone()
        return matches


def loss_weights(criterion: ConfigType | None) -> dict[str, float]:
    """Fill in the weights of the losses.

    Args:
        criterion: of a head; ``loss_weights`` may name some of them.

    Returns:
        Weights of ``cls``, ``mask``, ``dice``, ``taxo``, and ``comp``, of the loss on
        the scores S, which is that of ``taxo`` unless given.
    """
    weights = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
    weights.update((criterion or {}).get("loss_weights", {}))
    return dict(comp=weights["taxo"]) | weights
