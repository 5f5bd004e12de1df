"""Loss functions and the criterion that names and weights them."""

from .class_loss import class_loss, restrict_logits
from .detection_criterion import DetectionCriterion, DetectionTargets, MatchedPairs
from .detection_losses import box_losses, focal_loss, mask_focal_loss
from .embedding_losses import (
    ObjectEmbeddings,
    contrastive_losses,
    matched_embeddings,
    similarity_loss,
)
from .mask_losses import point_bce, point_dice
from .pair_contrast import PairContrast, PairMatches
from .set_criterion import (
    SetCriterion,
    StageLosses,
    StagePredictions,
    target_classes,
)
from .stage_plan import Stage, StageKind, TaxonomyLossPlan, plan_stages
from .taxonomy_loss import compilation_loss
from .tube_criterion import TubeCriterion, TubeMasks, TubeTargets

__all__ = [
    "DetectionCriterion",
    "DetectionTargets",
    "MatchedPairs",
    "PairContrast",
    "PairMatches",
    "ObjectEmbeddings",
    "SetCriterion",
    "Stage",
    "StageKind",
    "StageLosses",
    "StagePredictions",
    "TaxonomyLossPlan",
    "TubeCriterion",
    "TubeMasks",
    "TubeTargets",
    "box_losses",
    "class_loss",
    "compilation_loss",
    "contrastive_losses",
    "focal_loss",
    "mask_focal_loss",
    "matched_embeddings",
    "plan_stages",
    "point_bce",
    "point_dice",
    "restrict_logits",
    "similarity_loss",
    "target_classes",
]
