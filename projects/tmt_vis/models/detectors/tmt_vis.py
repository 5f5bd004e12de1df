"""The detector: backbone and head, for training and for whole videos."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from torch import Tensor

from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType, Losses

from ..clip_features import ClipFeatures
from ..heads import PixelFeatures

# Where the head lies in checkpoints of mmdet's image and video Mask2Former.
_HOST_PREFIXES = ("panoptic_head.", "track_head.")


@MODELS.register_module()
class TMTVIS(BaseDetector):
    """Taxonomy-aware multi-dataset joint training for VIS (NeurIPS 2023).

    Args:
        backbone: config of a backbone with strides 4, 8, 16, 32.
        head: config of :class:`TMTVISHead`.
        frames_per_chunk: frames that pass backbone and pixel decoder at a time when
            predicting. Frames do not interact there, so the result is the same, and
            memory does not grow with the backbone's activations.
    """

    def __init__(
        self,
        *,
        backbone: ConfigType,
        head: ConfigType,
        data_preprocessor: ConfigType | None = None,
        frames_per_chunk: int = 8,
        init_cfg: ConfigType | None = None,
    ) -> None:
        # Built here, because BaseModel looks it up in mmengine's own registry unless a
        # config has set default_scope.
        preprocessor = data_preprocessor and MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.frames_per_chunk = frames_per_chunk

    def extract_feat(self, batch_inputs: Tensor) -> ClipFeatures:
        """Compute the features of a batch of clips.

        Args:
            batch_inputs: ``(B, T, 3, H, W)``, normalised and padded.
        """
        frames = batch_inputs.flatten(0, 1)
        step = len(frames) if self.training else self.frames_per_chunk
        chunks = [self._pixel_features(chunk) for chunk in frames.split(step)]
        return self.head.clip_features(_join(chunks), batch_inputs.shape[1])

    def _pixel_features(self, frames: Tensor) -> PixelFeatures:
        return self.head.pixel_features(self.backbone(frames))

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[ClipDataSample]
    ) -> Losses:
        """Compute the losses of a batch of clips, ``(B, T, 3, H, W)``."""
        return self.head.loss(self.extract_feat(batch_inputs), batch_data_samples)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[ClipDataSample]
    ) -> list[ClipDataSample]:
        """Predict the tracks of videos, ``(B, T, 3, H, W)``."""
        return self.head.predict(self.extract_feat(batch_inputs), batch_data_samples)

    def _forward(
        self,
        batch_inputs: Tensor,
        batch_data_samples: Sequence[ClipDataSample] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and mask embeddings of the last stage (FLOP counts)."""
        features = self.extract_feat(batch_inputs)
        default = next(iter(self.head.vocabulary.taxonomy.label_spaces))
        spaces = [s.label_space for s in batch_data_samples or ()]
        spaces = spaces or [default] * len(batch_inputs)
        compiled = self.head.compile_taxonomy(features, spaces)
        return tuple(self.head.decode(features, compiled, self.head.stages[-1:])[0])

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the head of mmdet's Mask2Former (COCO or VIS) as a warm start."""
        for host in _HOST_PREFIXES:
            for key in [k for k in state_dict if k.startswith(prefix + host)]:
                name = prefix + "head." + key[len(prefix + host) :]
                state_dict[name] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _join(chunks: list[PixelFeatures]) -> PixelFeatures:
    if len(chunks) == 1:
        return chunks[0]
    levels = zip(*(chunk.levels for chunk in chunks), strict=True)
    return PixelFeatures(
        torch.cat([chunk.mask_features for chunk in chunks]),
        tuple(torch.cat(level) for level in levels),
    )
