"""The detector: backbone and head, for training and for whole videos."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from torch import Tensor

from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType, Losses, Size

from ..clip_features import ClipFeatures, PixelFeatures
from ..long_videos import LongVideoChoice

_LONGEST_CHUNK = 8  # fewer frames keep a GPU waiting for the next launch
# Sixteen frames of 384x640 need 1.1 GB in chunks of four.
_CPU_PIXELS = 4 * 384 * 640
_STRIDE = 32  # inputs are padded to a multiple

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
            memory does not grow with the backbone's activations. None: 8, and on a CPU
            no more than hold the pixels of two frames of 384x640.
        predict_dtype: ``float32``, or ``bfloat16`` to predict under autocast, pixel
            decoder included (sampling and norms stay in float32).
        long_videos: config of what predicts videos that are too long to be looked at
            as a whole, e.g. :class:`tmt_vis.inference.WindowedPrediction`; None looks
            at every video as a whole.
    """

    def __init__(
        self,
        *,
        backbone: ConfigType,
        head: ConfigType,
        data_preprocessor: ConfigType | None = None,
        frames_per_chunk: int | None = None,
        predict_dtype: str = "float32",
        long_videos: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        # Built here, because BaseModel looks it up in mmengine's own registry unless a
        # config has set default_scope.
        preprocessor = data_preprocessor and MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.frames_per_chunk = frames_per_chunk
        self.predict_dtype = predict_dtype
        self._autocast_dtype()  # an unknown name is found now, not after a training
        self._long_videos = LongVideoChoice(long_videos)

    def extract_feat(self, batch_inputs: Tensor) -> ClipFeatures:
        """Compute the features of a batch of clips.

        Args:
            batch_inputs: ``(B, T, 3, H, W)``, normalised and padded.
        """
        frames = batch_inputs.flatten(0, 1)
        step = len(frames) if self.training else self.chunk_length(frames.shape[-2:])
        chunks = map(self.pixel_features, frames.split(step))
        pixels = PixelFeatures.join(chunks, len(frames))
        return self.head.clip_features(pixels, batch_inputs.shape[1])

    def chunk_length(self, size: Size) -> int:
        """Return how many frames are passed to :meth:`pixel_features` at a time.

        Args:
            size: of the frames, padded or not.
        """
        if self.frames_per_chunk is not None:
            return self.frames_per_chunk
        if next(self.parameters()).is_cuda:
            return _LONGEST_CHUNK
        padded = (-(-side // _STRIDE) * _STRIDE for side in size)
        return max(1, min(_LONGEST_CHUNK, _CPU_PIXELS // math.prod(padded)))

    def pixel_features(self, frames: Tensor) -> PixelFeatures:
        """Run backbone and pixel decoder.

        Args:
            frames: ``(F, 3, H, W)``, normalised and padded.
        """
        if frames.is_cpu and not torch.is_grad_enabled():
            # The backbone follows its input: a video takes 5 to 8 % less time.
            frames = frames.contiguous(memory_format=torch.channels_last)
        half = not self.training and self.predict_dtype != "float32"
        return self.head.pixel_features(self.backbone(frames), autocast=half)

    def predict_precision(self) -> AbstractContextManager:
        """Return the context in which this model predicts, see ``predict_dtype``."""
        dtype = self._autocast_dtype()
        if dtype is torch.float32:
            return nullcontext()
        return torch.autocast(next(self.parameters()).device.type, dtype=dtype)

    def _autocast_dtype(self) -> torch.dtype:
        known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
        if self.predict_dtype not in known:
            raise ValueError(
                f"predict_dtype must be one of {sorted(known)}, got "
                f"{self.predict_dtype!r}"
            )
        return known[self.predict_dtype]

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[ClipDataSample]
    ) -> Losses:
        """Compute the losses of a batch of clips, ``(B, T, 3, H, W)``."""
        return self.head.loss(self.extract_feat(batch_inputs), batch_data_samples)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[ClipDataSample]
    ) -> list[ClipDataSample]:
        """Predict the tracks of videos, ``(B, T, 3, H, W)``."""
        with self.predict_precision():
            features = self.extract_feat(batch_inputs)
            return self.head.predict(features, batch_data_samples)

    def val_step(self, data: dict[str, Any]) -> list[ClipDataSample]:
        """Predict packed videos, of which only some frames are normalised at a time.

        Args:
            data: ``inputs``: videos (T, 3, h, w) uint8; ``data_samples``.
        """
        clips, samples = data["inputs"], data["data_samples"]
        if len(clips) > 1:
            return super().val_step(data)
        if long := self._long_videos.of(len(clips[0])):
            return [long.predict(self, clips[0], samples[0])]
        return [self._predict_video(clips[0], samples[0])]

    def test_step(self, data: dict[str, Any]) -> list[ClipDataSample]:
        """Predict packed videos, see :meth:`val_step`."""
        return self.val_step(data)

    @torch.no_grad()
    def _predict_video(self, clip: Tensor, sample: ClipDataSample) -> ClipDataSample:
        prepared = []

        def chunks() -> Iterator[PixelFeatures]:
            for frames in clip.split(self.chunk_length(clip.shape[-2:])):
                data = dict(inputs=[frames], data_samples=[sample])
                data = self.data_preprocessor(data, False)
                prepared[:] = data["data_samples"]
                yield self.pixel_features(data["inputs"][0])

        with self.predict_precision():
            features = self.head.clip_features(
                PixelFeatures.join(chunks(), len(clip)), len(clip)
            )
            return self.head.predict(features, prepared)[0]

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
        final, _ = self.head.decode_final(features, spaces)
        return final.class_logits, final.mask_embeds

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the head of mmdet's Mask2Former (COCO or VIS) as a warm start."""
        for host in _HOST_PREFIXES:
            for key in [k for k in state_dict if k.startswith(prefix + host)]:
                name = prefix + "head." + key[len(prefix + host) :]
                state_dict[name] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
