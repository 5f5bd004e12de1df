"""TIM without a taxonomy: what injection is worth when it says nothing of the clip."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from mmdet.registry import MODELS
from torch import nn

from tmt_vis.models import (
    CompiledTaxonomy,
    FeatureLevel,
    TaxonomyGuidance,
    UnionVocabulary,
)


@MODELS.register_module()
class LearnedTokensGuidance(TaxonomyGuidance):
    """Inject ``N_T`` learned tokens, the same into every clip, instead of E_T.

    TCM still scores the categories, and learns to if its loss has a weight.

    Args:
        channels: width of the tokens.
        **kwargs: further arguments of :class:`TaxonomyGuidance`.
    """

    def __init__(self, *, channels: int, **kwargs: Any) -> None:
        super().__init__(channels=channels, **kwargs)
        # Their elements have unit variance, as those of E_T have (its last LayerNorm).
        self.tokens = nn.Embedding(self.tcm.num_taxonomy, channels)

    def compile(
        self,
        levels: Sequence[FeatureLevel],
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        **options: Any,
    ) -> CompiledTaxonomy:
        """Run TCM for its scores, and put the tokens in the place of E_T."""
        compiled = super().compile(levels, label_spaces, vocabulary, **options)
        tokens = self.tokens.weight[: compiled.keep.shape[1]]
        return replace(
            compiled,
            embeddings=tokens.expand_as(compiled.embeddings),
            keep=torch.ones_like(compiled.keep),
        )
