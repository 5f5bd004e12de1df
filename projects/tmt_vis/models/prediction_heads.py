"""What decoder states predict: a mask embedding, and logits of the categories."""

import math

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.logging import MMLogger
from torch import Tensor, nn

from .taxonomy.vocabulary import UnionVocabulary


class MaskHead(nn.Sequential):
    """Map decoder states ``(..., C)`` to mask embeddings with an MLP of three layers.

    Args:
        channels: width of the states.
        out_channels: width of the mask features.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, out_channels),
        )


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


def check_foreign_classifier(
    state_dict: dict[str, Tensor], prefix: str, classifier: nn.Module
) -> None:
    """Say what happens to each tensor, and drop those that do not fit.

    mmengine would print a shape mismatch among hundreds of lines, and nothing at all
    about rows of another order.

    Args:
        state_dict: of the checkpoint; tensors of another shape are removed.
        prefix: of the classifier's tensors in it.
        classifier: that will load them.
    """
    for name, own in classifier.state_dict().items():
        key = f"{prefix}{name}"
        theirs = state_dict.get(key)
        if theirs is None:
            continue
        shapes = f"{key} of the checkpoint has shape {tuple(theirs.shape)}"
        if theirs.shape != own.shape:
            state_dict.pop(key)
            outcome = f"the joint taxonomy needs {tuple(own.shape)}: it is not loaded"
        else:
            outcome = (
                "as here, and nothing says which categories its rows are: they are "
                "taken in order (tools/convert_checkpoint.py goes by name)"
            )
        MMLogger.get_current_instance().warning(f"{shapes}, {outcome}")
