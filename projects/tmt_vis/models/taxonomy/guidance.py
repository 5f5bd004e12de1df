"""Taxonomy guidance: TCM, TIM and their loss as one part that any host can own."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tmt_vis.losses import compilation_loss
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.typedefs import ConfigType, Losses

from ..features import FeatureLevel
from .compilation import CategoryScores, CompiledTaxonomy, ScoreSupervision
from .injection import TaxonomyInjectionModule
from .vocabulary import UnionVocabulary, VocabularyMode


@MODELS.register_module()
class TaxonomyGuidance(nn.Module):
    """Compile the taxonomy of a clip and inject it into queries (Secs. 3.2, 3.3).

    It holds no vocabulary: every call names the one it is about, so requests with
    different words can use one model at the same time.

    Args:
        vocabulary: that the model is built for; gives the width of the text.
        channels: width ``C`` of the host's features and queries.
        num_decoder_layers: decoder layers in front of which TIM may inject.
        compilation: config of TCM.
        injection: arguments of :class:`TaxonomyInjectionModule`.
        vocab_mode: ``dict(train=, test=)``, ``dataset`` or ``unified``: the categories
            TCM may compile (A12).
        loss_weight: of the loss on the scores S.

    Raises:
        ValueError: if a label space has no category with a text.
    """

    def __init__(
        self,
        *,
        vocabulary: UnionVocabulary,
        channels: int,
        num_decoder_layers: int,
        compilation: ConfigType,
        injection: ConfigType,
        vocab_mode: ConfigType | None = None,
        loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        modes = {"train": "dataset", "test": "dataset", **(vocab_mode or {})}
        self.vocab_modes = {k: VocabularyMode(v) for k, v in modes.items()}
        self.loss_weight = loss_weight
        vocabulary.check_text()
        tcm = dict(compilation, channels=channels, text_dim=vocabulary.text_dim)
        self.tcm = MODELS.build(tcm)
        self.tim = TaxonomyInjectionModule(
            num_decoder_layers=num_decoder_layers,
            channels=channels,
            num_taxonomy=self.tcm.num_taxonomy,
            **injection,
        )

    @property
    def needs_mask_level(self) -> bool:
        """Whether the levels must end with the mask features, see :meth:`compile`."""
        return self.tcm.needs_mask_level

    def compile(
        self,
        levels: Sequence[FeatureLevel],
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        *,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> CompiledTaxonomy:
        """Run TCM on ``B`` clips (Eqs. 2-5).

        Args:
            levels: what the categories look at, each ``(B, M, C)``: the host's feature
                levels, and, if :attr:`needs_mask_level`, its mask features as the last
                one.
            label_spaces: of each clip.
            vocabulary: that holds the label spaces.
            samples: of each clip, for guidance that depends on more of them.
        """
        keep = self.text_keep(label_spaces, vocabulary, samples)
        return self.tcm(vocabulary.text_embeddings, levels, keep)

    def look(
        self, levels: Sequence[FeatureLevel], vocabulary: UnionVocabulary
    ) -> CategoryScores:
        """Score all categories in each clip, for hosts that put clips together."""
        return self.tcm.look(vocabulary.text_embeddings, levels)

    def select(
        self,
        scores: CategoryScores,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        *,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> CompiledTaxonomy:
        """Keep the best categories of each clip; arguments as in :meth:`compile`."""
        keep = self.text_keep(label_spaces, vocabulary, samples)
        return self.tcm.select(scores, keep)

    def text_keep(
        self,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        samples: Sequence[ClipDataSample] | None,
    ) -> Tensor:
        """Mark the categories, ``(B, K)``, that may be compiled for each clip."""
        mode = self.vocab_modes["train" if self.training else "test"]
        return vocabulary.text_keep(label_spaces, mode)

    def inject(
        self, layer: int, queries: Tensor, pos: Tensor, compiled: CompiledTaxonomy
    ) -> tuple[Tensor, Tensor]:
        """Run TIM in front of a decoder layer (Eq. 6), if it injects there.

        Args:
            layer: of the host's decoder, from 0.
            queries: ``(B, Q, C)``.
            pos: ``(B, Q, C)``.
            compiled: the taxonomy of the clips.

        Returns:
            Queries and positions; concatenation appends ``N_T`` of them.
        """
        return self.tim(layer, queries, pos, compiled)

    def loss(
        self,
        compiled: CompiledTaxonomy,
        targets: Sequence[ClipTargets],
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        *,
        known: Tensor | None = None,
    ) -> Losses:
        """Supervise the scores S with the categories that each clip shows (A8).

        Args:
            compiled: the taxonomy of the clips.
            targets: of each clip.
            label_spaces: of each clip.
            vocabulary: of the labels.
            known: ``(B, K)`` bool, categories that the sample says something about;
                None: all.

        Returns:
            ``loss_taxo_comp``, weighted; nothing unless S is supervised by ``bce``.
        """
        if self.tcm.score_supervision is not ScoreSupervision.BCE:
            return {}
        keep = vocabulary.text_keep(label_spaces, VocabularyMode.DATASET)
        if known is not None:
            keep = keep & known
        present = torch.zeros_like(keep)
        for row, target in zip(present, targets, strict=True):
            row[target.labels] = True
        with torch.autocast(keep.device.type, enabled=False):
            loss = compilation_loss(compiled.score_logits, present, keep)
        return {"loss_taxo_comp": self.loss_weight * loss}

    def report(
        self, compiled: CompiledTaxonomy, label_space: str, vocabulary: UnionVocabulary
    ) -> InstanceData | None:
        """List what was compiled for the clips of one video.

        See :meth:`CompiledTaxonomy.report`; None where that says nothing of the model.
        """
        return compiled.report(vocabulary.slots_to_union(label_space))


def build_guidance(
    guidance: ConfigType | None,
    *,
    compilation: ConfigType | None,
    injection: ConfigType | None,
    **parts: Any,
) -> TaxonomyGuidance | None:
    """Build the guidance of a host; None makes it the plain host.

    Args:
        guidance: type and further arguments; None: :class:`TaxonomyGuidance`.
        compilation: config of TCM.
        injection: arguments of TIM.
        **parts: further arguments of :class:`TaxonomyGuidance`.

    Raises:
        ValueError: if there is only one of TCM and TIM, or a guidance without them.
    """
    if (compilation is None) != (injection is None):
        raise ValueError(
            "compilation (TCM) and injection (TIM) belong together; set both or "
            f"neither, got compilation={compilation}, injection={injection}"
        )
    if compilation is None:
        if guidance is not None:
            raise ValueError(
                f"guidance needs compilation and injection, got only {guidance}; set "
                "both, or guidance=None"
            )
        return None
    cfg = dict(type="TaxonomyGuidance") | dict(guidance or {}) | parts
    return MODELS.build(cfg | dict(compilation=compilation, injection=injection))
