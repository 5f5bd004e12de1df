"""TIM without a taxonomy: what injection is worth when it says nothing of the clip."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmdet.registry import MODELS
from torch import nn

from tmt_vis.models import TMTVISHead
from tmt_vis.models.clip_features import ClipFeatures
from tmt_vis.models.taxonomy_compilation import CompiledTaxonomy


@MODELS.register_module()
class LearnedTokensTMTVISHead(TMTVISHead):
    """Inject ``N_T`` learned tokens, the same into every clip, instead of E_T.

    TCM still scores the categories, and learns to if its loss has a weight.

    Args:
        **kwargs: of :class:`TMTVISHead`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        # Their elements have unit variance, as those of E_T have (its last LayerNorm).
        self.tokens = nn.Embedding(
            self.tcm.num_taxonomy, self.transformer_decoder.channels
        )

    def compile_taxonomy(
        self, features: ClipFeatures, label_spaces: Sequence[str]
    ) -> CompiledTaxonomy:
        """Run TCM for its scores, and put the tokens in the place of E_T."""
        compiled = super().compile_taxonomy(features, label_spaces)
        tokens = self.tokens.weight[: compiled.keep.shape[1]]
        return replace(
            compiled,
            embeddings=tokens.expand_as(compiled.embeddings),
            keep=torch.ones_like(compiled.keep),
        )
