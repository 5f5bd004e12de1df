"""Batch packed clips: device, colour order, normalisation, padding."""

import math
from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import ImgDataPreprocessor
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from tmt_vis.structures import ClipDataSample


@MODELS.register_module()
class ClipDataPreprocessor(ImgDataPreprocessor):
    """Turn clips into one normalised, padded batch.

    Padding goes to the bottom and the right: 0 *after* normalisation for pixels (the
    mean colour, as in detectron2), False for masks. The samples of the loader are not
    changed, so the same batch may be passed twice.

    Args:
        mean: Channel means in RGB order (after ``bgr_to_rgb``), 0..255 scale.
        std: Channel standard deviations, same scale.
        pad_size_divisor: Padded height and width are multiples of it.
        test_size_divisor: The same at test; None: as in training.
        bgr_to_rgb: Reverse the channels; frames are read as BGR.
        non_blocking: Copy to the device asynchronously (needs pinned memory).
    """

    def __init__(
        self,
        *,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        pad_size_divisor: int = 32,
        test_size_divisor: int | None = None,
        bgr_to_rgb: bool = True,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(
            mean=mean,
            std=std,
            pad_size_divisor=pad_size_divisor,
            bgr_to_rgb=bgr_to_rgb,
            non_blocking=non_blocking,
        )
        self.test_size_divisor = test_size_divisor or pad_size_divisor

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Preprocess a collated batch.

        Args:
            data: ``inputs``: B tensors (T, 3, h, w), any dtype, 0..255, or one
                (B, T, 3, h, w); ``data_samples``: B ClipDataSample or None.
            training: Whether to pad for training or for a test.

        Returns:
            ``inputs`` (B, T, 3, Hp, Wp) float32 and ``data_samples`` with
            ``batch_input_shape`` set and masks padded to it.

        Raises:
            ValueError: If the clips differ in T.
        """
        data = self.cast_data(data)
        clips = list(data["inputs"])
        step = self.pad_size_divisor if training else self.test_size_divisor
        padded = self._padded_shape(clips, step)
        samples = data.get("data_samples")
        if samples is not None:
            samples = [self._pad_sample(sample, padded) for sample in samples]
        return dict(data, inputs=self._batch(clips, padded), data_samples=samples)

    def normalize(self, frames: Tensor) -> Tensor:
        """Normalise frames without padding, e.g. the frames of one window of a video.

        Args:
            frames: (T, 3, h, w), any dtype, 0..255, in the loader's channel order.

        Returns:
            (T, 3, h, w) float32.
        """
        if self._channel_conversion:
            frames = frames.flip(1)
        return (frames - self.mean).div_(self.std)

    def _padded_shape(self, clips: Sequence[Tensor], step: int) -> tuple[int, int]:
        lengths = [len(clip) for clip in clips]
        if len(set(lengths)) != 1:
            raise ValueError(
                f"all clips of a batch must have the same number of frames, got "
                f"{lengths}; use one num_frames for all datasets, and batch size 1 at "
                "test"
            )
        height, width = (max(clip.shape[side] for clip in clips) for side in (-2, -1))
        return math.ceil(height / step) * step, math.ceil(width / step) * step

    def _batch(self, clips: Sequence[Tensor], padded: tuple[int, int]) -> Tensor:
        shape = (len(clips), len(clips[0]), 3, *padded)
        batch = self.mean.new_zeros(shape)
        for clip, target in zip(clips, batch, strict=True):
            target[..., : clip.shape[-2], : clip.shape[-1]] = self.normalize(clip)
        return batch

    def _pad_sample(
        self, sample: ClipDataSample, padded: tuple[int, int]
    ) -> ClipDataSample:
        # cast_data made new samples and new InstanceData, so the loader's stay as is.
        sample.set_metainfo(dict(batch_input_shape=padded))
        for instances in (sample.get("gt_instances"), sample.get("ignored_instances")):
            if instances is not None and "masks" in instances:
                _pad_masks(instances, padded)
        return sample


def _pad_masks(instances: InstanceData, padded: tuple[int, int]) -> None:
    height, width = instances.masks.shape[-2:]
    gap = (0, padded[1] - width, 0, padded[0] - height)
    instances.masks = F.pad(instances.masks, gap, value=False)
