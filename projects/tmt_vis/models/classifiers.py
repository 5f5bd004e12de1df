"""Class logits of the queries: a linear layer, or similarity with the text."""

import math

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from .vocabulary import UnionVocabulary


@MODELS.register_module()
class LinearClassifier(nn.Linear):
    """One row per category of the joint taxonomy and one for "no object".

    A category that was never trained keeps a random row (zero-shot results of Table
    12 come from shared categories only).

    Args:
        channels: width of the queries.
        vocabulary: of the joint taxonomy.
    """

    needs_text = False

    def __init__(self, *, channels: int, vocabulary: UnionVocabulary) -> None:
        super().__init__(channels, vocabulary.num_categories + 1)

    def forward(self, queries: Tensor, vocabulary: UnionVocabulary) -> Tensor:
        """Return ``(..., K + 1)`` logits of queries ``(..., C)``."""
        return super().forward(queries)


@MODELS.register_module()
class TextSimilarityClassifier(nn.Module):
    """Cosine similarity with adapted text embeddings (open vocabulary).

    Categories never trained, or given by name at test time, are classified like any
    other. Categories without a text (UVO's "other") own a learned embedding.

    Args:
        channels: width of the queries.
        vocabulary: of the joint taxonomy.
        temperature: initial temperature; its inverse is learned on a log scale.
    """

    needs_text = True

    def __init__(
        self,
        *,
        channels: int,
        vocabulary: UnionVocabulary,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.query_proj = nn.Linear(channels, channels)
        self.text_proj = nn.Linear(vocabulary.text_dim, channels)
        num_textless = int((~vocabulary.has_text).sum())
        self.textless = nn.Embedding(max(num_textless, 1), channels)
        self.no_object = nn.Linear(channels, 1)
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(self, queries: Tensor, vocabulary: UnionVocabulary) -> Tensor:
        """Return ``(..., K + 1)`` logits of queries ``(..., C)``."""
        classes = self.text_proj(vocabulary.text_embeddings)
        # Every category reads a learned row and most discard it: no data-dependent
        # shape, and the table is part of every graph.
        row = (~vocabulary.has_text).cumsum(0).sub(1)
        row = row.clamp(0, self.textless.num_embeddings - 1)
        has_text = vocabulary.has_text.unsqueeze(-1)
        classes = torch.where(has_text, classes, self.textless(row))
        # 100 is CLIP's bound: beyond it the softmax saturates in half precision.
        scale = self.logit_scale.clamp(max=math.log(100)).exp()
        similarity = F.normalize(self.query_proj(queries), dim=-1) @ F.normalize(
            classes, dim=-1
        ).transpose(-1, -2)
        return torch.cat([scale * similarity, self.no_object(queries)], dim=-1)
