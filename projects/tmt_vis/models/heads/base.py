"""What every head offers: the contract between hosts, training and inference."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor

from tmt_vis.losses import restrict_logits
from tmt_vis.streaming import TrackState, WindowPlan, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.taxonomy import LabelSpace
from tmt_vis.typedefs import ConfigType, Losses

from ..features import PixelFeatures
from ..postprocessing import TrackDecoding
from ..taxonomy import UnionVocabulary, build_vocabulary


class VideoHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads: vocabulary, label spaces and limits; hosts add the rest.

    A head keeps nothing of a video or a request: what it remembers between windows is
    in the :class:`TrackState` it returns, and the categories are in the request.

    Args:
        taxonomy: ``dict(label_spaces=[...])``, names or files, in the order of the
            joint taxonomy.
        text_embeddings: arguments of ``build_text_embeddings``; None for a model that
            reads no text.
        label_space_mask: restrict cost, loss and prediction to the categories of the
            sample's label space (A11). False is the naive union.
        test_cfg: arguments of :class:`TrackDecoding`.
    """

    plan: WindowPlan | None = None
    """Windows that the head was made for; None: it takes any."""
    aggregate: ClassVar[Literal["mean", "max"]] = "mean"
    """How the class probabilities of an object are put together over windows."""

    def __init__(
        self,
        *,
        taxonomy: ConfigType,
        text_embeddings: ConfigType | None = None,
        label_space_mask: bool = True,
        test_cfg: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.label_space_mask = label_space_mask
        self.track_decoding = TrackDecoding(**(test_cfg or {}))
        self.vocabulary = build_vocabulary(taxonomy, text_embeddings)

    # ------------------------------------------------------------------- contract

    @property
    def label_spaces(self) -> Mapping[str, LabelSpace]:
        """Label spaces the model is built for, by name."""
        return self.vocabulary.taxonomy.label_spaces

    @property
    def accepts_text(self) -> bool:
        """Whether the classifier can name categories given by their text only."""
        return False

    def limit(self, label_space: str | None) -> int:
        """Return the tracks kept per video, see :meth:`TrackDecoding.limit`."""
        return self.track_decoding.limit(label_space)

    @abstractmethod
    def pixel_features(
        self, feats: Sequence[Tensor], images: Tensor, *, autocast: bool = False
    ) -> PixelFeatures:
        """Compute what the head keeps of ``F`` frames, which do not interact here.

        Args:
            feats: ``(F, C_i, H_i, W_i)`` of the backbone, strides 4 to 32.
            images: ``(F, 3, H, W)``, normalised and padded; kept only by heads that
                need them.
            autocast: leave autocast on if it is, for inference in half precision.
        """

    @abstractmethod
    def forward(
        self, pixels: PixelFeatures, label_spaces: Sequence[str]
    ) -> tuple[Tensor, ...]:
        """Predict at the last stage, without losses or tracks (operation counts).

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            label_spaces: of ``B`` clips.
        """

    @abstractmethod
    def loss(self, pixels: PixelFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute all losses of a batch.

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            samples: of ``B`` clips with ``gt_instances``, from any datasets.

        Returns:
            Weighted losses by name.
        """

    @abstractmethod
    def predict_window(
        self, pixels: PixelFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction | None, TrackState | None]:
        """Predict one window of one video; called without gradients.

        Args:
            pixels: of the frames of the window.
            request: what is asked.
            state: that the window before came with; None at the start of a video, and
                for heads that remember nothing.

        Returns:
            The objects of the window, or None if only the end of the video tells, and
            what the next window needs to know.
        """

    def finish_video(
        self, request: WindowRequest, state: TrackState | None
    ) -> WindowPrediction | None:
        """Say what only the end of a video tells.

        Args:
            request: about all frames of the video.
            state: that its last window came with.

        Returns:
            The objects of the video; None if its windows told all.
        """
        return None

    # -------------------------------------------------------------------- helpers

    def vocabulary_of(self, request: WindowRequest) -> UnionVocabulary:
        """Return the vocabulary that a request is about."""
        return request.vocabulary or self.vocabulary

    def class_keep(
        self, label_spaces: Sequence[str], vocabulary: UnionVocabulary | None = None
    ) -> Tensor:
        """Mark the categories that may be matched, supervised and predicted.

        Args:
            label_spaces: of ``B`` clips.
            vocabulary: that holds them; None: the head's own.

        Returns:
            ``(B, K)`` bool; all True for the naive union.
        """
        keep = (vocabulary or self.vocabulary).class_keep(label_spaces)
        return keep if self.label_space_mask else torch.ones_like(keep)

    def known_keep(self, samples: Sequence[ClipDataSample]) -> Tensor:
        """Mark, ``(B, K)``, the categories that each sample says something about.

        TCM still compiles from the whole label space, in training as at test: the list
        of what is known would tell it what to find.
        """
        rows = [
            self.vocabulary.known_keep(sample.label_space, sample.get("known_slots"))
            for sample in samples
        ]
        return torch.stack(rows)

    def clip_targets(self, sample: ClipDataSample) -> ClipTargets:
        """Translate the slots of a sample's ground truth into ``union_id``."""
        truth, crowds = sample.gt_instances, sample.get("ignored_instances")
        union_ids = self.vocabulary.slots_to_union(sample.label_space)
        incomplete = None
        if slots := sample.get("incomplete_slots"):
            incomplete = torch.zeros_like(self.vocabulary.has_text)
            incomplete[union_ids[list(slots)]] = True
        return ClipTargets(
            union_ids[truth.labels],
            truth.masks,
            sample.get("clip_seed"),
            crowds.masks.any(0) if crowds is not None and len(crowds) else None,
            incomplete,
        )

    def slot_probs(
        self,
        class_logits: Tensor,
        label_space: str,
        vocabulary: UnionVocabulary | None = None,
    ) -> Tensor:
        """Turn union logits of Q queries into probabilities ``(Q, slots)``."""
        vocabulary = vocabulary or self.vocabulary
        keep = self.class_keep([label_space], vocabulary)
        near = None
        if self.track_decoding.near_pooling:
            near = vocabulary.near_matrix(label_space)  # (slots, K)
            keep = keep | near.any(0)
        probs = self.union_probs(class_logits, keep)
        if near is not None:
            return (probs.unsqueeze(1) * near).amax(-1)
        return probs[:, vocabulary.slots_to_union(label_space)]

    def union_probs(self, class_logits: Tensor, keep: Tensor) -> Tensor:
        """Return the probability of every category, ``(Q, K)``.

        Args:
            class_logits: ``(Q, K + 1)``, "no object" last.
            keep: ``(1, K)`` bool, the categories that compete.
        """
        return restrict_logits(class_logits[None], keep)[0].softmax(-1)[:, :-1]
