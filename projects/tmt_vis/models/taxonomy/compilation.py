"""Taxonomy Compilation Module: which categories does this clip show (Sec. 3.2)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import NamedTuple, TypeAlias

import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..features import FeatureLevel
from ..layers import CrossAttentionBlock, xavier_init


class ScoreSupervision(Enum):
    """What the scores S learn from (resolution A8)."""

    BCE = "bce"  # multi-label cross-entropy against the clip's categories
    GATE = "gate"  # straight-through gate on the compiled embeddings
    NONE = "none"  # nothing: the Linear of Eq. 5 is the identity


@dataclass(frozen=True)
class CompiledTaxonomy:
    """The categories compiled for each clip.

    Args:
        embeddings: ``(B, N_T, C)``, the paper's E_T, best score first.
        keep: ``(B, N_T)`` bool, False = padding (fewer than N_T categories).
        union_ids: ``(B, N_T)`` int64 of each embedding.
        score_logits: ``(B, K)``, S before the sigmoid.
        class_keep: ``(B, K)`` bool, the categories that could be compiled.
    """

    embeddings: Tensor
    keep: Tensor
    union_ids: Tensor
    score_logits: Tensor
    class_keep: Tensor

    def __getitem__(self, clips: slice | Tensor) -> "CompiledTaxonomy":
        """Return the taxonomy of some of the clips."""
        return CompiledTaxonomy(*(part[clips] for part in self._parts()))

    def repeated(self, count: int) -> "CompiledTaxonomy":
        """Give every clip's taxonomy to ``count`` clips in a row."""
        clips = torch.arange(len(self.keep), device=self.keep.device)
        return self[clips.repeat_interleave(count)]

    @classmethod
    def cat(cls, parts: Sequence["CompiledTaxonomy"]) -> "CompiledTaxonomy":
        """Join the taxonomies of several batches."""
        columns = zip(*(part._parts() for part in parts), strict=True)
        return cls(*map(torch.cat, columns))

    def report(self, slots: Tensor) -> InstanceData:
        """List what was compiled for the clips, all of one video, best first.

        Args:
            slots: ``union_id`` of each slot of the video's label space.

        Returns:
            ``union_ids`` and ``scores``, the largest over the clips; ties go to the
            smaller ``union_id``. Metainfo tells of every slot ``slot_scores``,
            ``slot_compiled`` and ``slot_ranks`` among all categories that could be
            compiled, best = 0 (-1: it has no text).
        """
        compiled = torch.zeros_like(self.class_keep[0])
        compiled[self.union_ids[self.keep]] = True
        best = self.score_logits.amax(0).masked_fill(~compiled, -torch.inf)
        ranked = best.sort(descending=True, stable=True)
        count = int(compiled.sum())
        compiled = ranked.indices[:count]
        return InstanceData(
            union_ids=compiled.cpu(),
            scores=ranked.values[:count].sigmoid().float().cpu(),
            metainfo=self._slot_report(slots, compiled),
        )

    def _slot_report(self, slots: Tensor, compiled: Tensor) -> dict[str, Tensor]:
        could_be = self.class_keep[0]  # the clips share their label space
        logits = self.score_logits.amax(0)
        order = logits.masked_fill(~could_be, -torch.inf).sort(
            descending=True, stable=True
        )
        ranks = order.indices.argsort().masked_fill(~could_be, -1)
        return dict(
            slot_scores=logits[slots].sigmoid().float().cpu(),
            slot_ranks=ranks[slots].cpu(),
            slot_compiled=torch.isin(slots, compiled).cpu(),
        )

    def _parts(self) -> tuple[Tensor, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


class CategoryScores(NamedTuple):
    """What TCM sees of each category in ``B`` clips, before any is chosen.

    Args:
        embeddings: ``(B, K, C)``, the paper's E3.
        logits: ``(B, K)``, S before the sigmoid.
    """

    embeddings: Tensor
    logits: Tensor

    def mean_with(self, other: "CategoryScores", share: float) -> "CategoryScores":
        """Average with the scores of other frames, which get this share."""
        pairs = zip(self, other, strict=True)
        return CategoryScores(*(torch.lerp(a, b.to(a), share) for a, b in pairs))


Levels: TypeAlias = Sequence[FeatureLevel]


def _round_robin(levels: Levels, layer: int) -> FeatureLevel:
    return levels[layer % len(levels)]


def _all_levels(levels: Levels, layer: int) -> FeatureLevel:
    tokens = torch.cat([level.tokens for level in levels], dim=1)
    pos = torch.cat([level.pos for level in levels], dim=1)
    return FeatureLevel(tokens, pos, (1, tokens.shape[1]))


def _last_level(levels: Levels, layer: int) -> FeatureLevel:
    return levels[-1]


MASK_FEATURE = "mask_feature"  # the released code; it adds no position
FEATURE_SOURCES: dict[str, Callable[[Levels, int], FeatureLevel]] = {
    "memory_rr": _round_robin,
    "memory_all": _all_levels,
    "stride8": _last_level,
    MASK_FEATURE: _last_level,
}


@MODELS.register_module()
class TaxonomyCompilationModule(nn.Module):
    """Let all category embeddings look at the clip and keep the N_T most likely.

    ``E1 = Adapter(E)``, ``E2 = FFN(CrossAttn(E1, F))``, ``E3 = FFN(CrossAttn(E2, F))``,
    ``S = sigmoid(Linear(E3) . E1)``, and E_T = the rows of E3 with the N_T largest
    scores (Eqs. 2-5; ablation of N_T in Table 6).

    Args:
        channels: width ``C`` of the video features.
        text_dim: width ``D`` of the text embeddings.
        num_taxonomy: the paper's ``N_T``; a label space with fewer categories
            compiles all of them.
        adapter_dim: hidden width of the adapter.
        num_layers: cross-attention blocks (2 in the paper).
        share_layers: use one block for all layers.
        features: which F the categories look at (resolution A5), a key of
            ``FEATURE_SOURCES``; ``mask_feature`` is what the released code uses, and
            asks the host for the mask features as one more level, the last.
        score_supervision: see :class:`ScoreSupervision`.
        prior: initial probability of a category to be in a clip.
        unit_variance_text: multiply the text embeddings by ``sqrt(D)``. They are unit
            vectors, whose elements are far below what the adapter's initialisation
            expects: E1 starts near zero and all categories look alike. The paper does
            not say; on sprites, TCM saw far less of the clip without it
            (docs/findings.md).
        num_heads: attention heads.
        ffn_channels: hidden width of the FFNs.

    Raises:
        ValueError: if ``num_taxonomy`` or ``features`` is out of range.
    """

    def __init__(
        self,
        *,
        channels: int,
        text_dim: int,
        num_taxonomy: int = 10,
        adapter_dim: int = 256,
        num_layers: int = 2,
        share_layers: bool = False,
        features: str = "memory_rr",
        score_supervision: str = "bce",
        prior: float = 0.02,
        unit_variance_text: bool = False,
        num_heads: int = 8,
        ffn_channels: int = 2048,
    ) -> None:
        super().__init__()
        if num_taxonomy < 1:
            raise ValueError(
                f"num_taxonomy (N_T) must be >= 1, got {num_taxonomy}; the paper uses "
                "10, and a number above the categories of a label space compiles all"
            )
        if features not in FEATURE_SOURCES:
            raise ValueError(
                f"features must be one of {sorted(FEATURE_SOURCES)}, got {features!r}"
            )
        self.num_taxonomy = num_taxonomy
        self.num_layers = num_layers
        self.score_supervision = ScoreSupervision(score_supervision)
        self.needs_mask_level = features == MASK_FEATURE
        self._keys = FEATURE_SOURCES[features]
        self.text_factor = math.sqrt(text_dim) if unit_variance_text else 1.0
        self.adapter = nn.Sequential(
            nn.Linear(text_dim, adapter_dim),
            nn.ReLU(inplace=True),
            nn.Linear(adapter_dim, channels),
        )
        self.layers = nn.ModuleList(
            CrossAttentionBlock(
                channels=channels, num_heads=num_heads, ffn_channels=ffn_channels
            )
            for _ in range(1 if share_layers else num_layers)
        )
        self.score = nn.Linear(channels, channels)
        self.score_bias = nn.Parameter(torch.tensor(-math.log((1 - prior) / prior)))
        xavier_init(self)
        if self.score_supervision is ScoreSupervision.NONE:
            # The plain dot product E3 . E1, as in the released code, and not that with
            # a random matrix. Nothing would give a gradient, which DDP reports as an
            # error, so they are frozen.
            nn.init.eye_(self.score.weight)
            nn.init.zeros_(self.score.bias)
            self.score.requires_grad_(False)
            self.score_bias.requires_grad_(False)

    def forward(
        self, text: Tensor, levels: Levels, class_keep: Tensor
    ) -> CompiledTaxonomy:
        """Compile the taxonomy of each clip.

        Args:
            text: ``(K, D)`` embeddings of all categories of the joint taxonomy.
            levels: of the features of the clips.
            class_keep: ``(B, K)`` bool, categories that may be compiled. The others
                are scored as well (one batch may mix label spaces) but never kept.

        Returns:
            The compiled taxonomy.
        """
        return self.select(self.look(text, levels), class_keep)

    def look(self, text: Tensor, levels: Levels) -> CategoryScores:
        """Let all categories look at each clip (Eqs. 2-5).

        Args:
            text: ``(K, D)``.
            levels: of the features of ``B`` clips.
        """
        self._check_width(text)
        adapted = self.adapter(text * self.text_factor)  # E1
        embeddings = adapted.expand(len(levels[-1].tokens), -1, -1)
        for index in range(self.num_layers):
            keys = self._keys(levels, index)
            layer = self.layers[index % len(self.layers)]
            embeddings = layer(
                embeddings, keys.tokens, keys.tokens, key_pos=keys.pos
            )  # E2, E3
        return CategoryScores(embeddings, self._score(embeddings, adapted))

    def _score(self, embeddings: Tensor, adapted: Tensor) -> Tensor:
        """Compute the logits of S (Eq. 5), scaled like attention logits."""
        with torch.autocast(embeddings.device.type, enabled=False):
            weight, bias = self.score.weight.float(), self.score.bias.float()
            projected = nn.functional.linear(embeddings.float(), weight, bias)
            dots = (projected * adapted.float()).sum(-1)
            return dots / math.sqrt(adapted.shape[-1]) + self.score_bias

    def select(self, scores: CategoryScores, class_keep: Tensor) -> CompiledTaxonomy:
        """Keep the N_T best; ties go to the smaller ``union_id``.

        Ranking uses the logits: their sigmoid saturates and ties in half precision.
        """
        embeddings, logits = scores
        count = min(self.num_taxonomy, class_keep.shape[1])
        ranked = logits.detach().masked_fill(~class_keep, float("-inf"))
        union_ids = ranked.sort(dim=1, descending=True, stable=True).indices[:, :count]
        rows = union_ids.unsqueeze(-1).expand(-1, -1, embeddings.shape[-1])
        kept = embeddings.gather(1, rows)
        if self.score_supervision is ScoreSupervision.GATE:
            # Exactly 1, with the gradient of the gate's logarithm. The quotient of the
            # gates themselves is 0/0 below a logit of -104, which training reaches.
            log_gate = nn.functional.logsigmoid(logits.gather(1, union_ids))
            scale = (log_gate - log_gate.detach()).exp().unsqueeze(-1)
            kept = kept * scale.to(kept.dtype)
        keep = class_keep.gather(1, union_ids)
        return CompiledTaxonomy(kept, keep, union_ids, logits, class_keep)

    def _check_width(self, text: Tensor) -> None:
        expected = self.adapter[0].in_features
        if text.shape[-1] != expected:
            raise ValueError(
                f"TCM was built for text embeddings of width {expected}, got "
                f"{text.shape[-1]}; rebuild the model with this text encoder"
            )
