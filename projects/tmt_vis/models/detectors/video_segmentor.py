"""The detector: backbone and head, for training and for whole videos."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from torch import Tensor, nn

from tmt_vis.streaming import (
    LinkOptions,
    VideoEngine,
    WindowPlan,
    join_features,
)
from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType, Losses, Size

from ..features import PixelFeatures
from ..postprocessing import joined_taxonomy, video_tracks

_LONGEST_CHUNK = 8  # fewer frames keep a GPU waiting for the next launch
# Sixteen frames of 384x640 need 1.1 GB in chunks of four.
_CPU_PIXELS = 4 * 384 * 640
_STRIDE = 32  # inputs are padded to a multiple

# Where the head lies in checkpoints of mmdet's image and video Mask2Former.
_HOST_PREFIXES = ("panoptic_head.", "track_head.")


class LongVideos:
    """Which videos of a test are predicted window by window.

    A model that looks at a video as a whole keeps about 40 MB of features per frame of
    384x640. From ``max_frames`` on, windows are predicted and their objects linked;
    memory is that of one window then, and the result is no longer the model's own
    answer to the whole video. Up to ``max_frames`` nothing changes.

    Args:
        max_frames: longest video that is looked at as a whole.
        windows: arguments of :class:`WindowPlan`.
        link: arguments of :class:`LinkOptions`.
        type: name that configs of version 0.4 carry; not used.

    Raises:
        ValueError: if ``max_frames`` is below a window's length.
    """

    def __init__(
        self,
        *,
        max_frames: int = 128,
        windows: Mapping[str, Any] | None = None,
        link: Mapping[str, Any] | None = None,
        type: str | None = None,
    ) -> None:
        self.windows = WindowPlan(**(windows or {}))
        self.link = LinkOptions(**(link or {}))
        if max_frames < self.windows.length:
            raise ValueError(
                f"max_frames must not be below the windows' length "
                f"{self.windows.length}, got {max_frames}; a shorter video is one "
                "window anyway"
            )
        self.max_frames = max_frames


@MODELS.register_module(name=["VideoSegmentor", "TMTVIS"])
class VideoSegmentor(BaseDetector):
    """Backbone and head, for training and for whole videos; any host.

    ``TMTVIS``, the name of the paper's model, is this class with its head.

    Args:
        backbone: config of a backbone with strides 4, 8, 16, 32.
        head: config of a :class:`VideoHead`.
        frames_per_chunk: frames that pass backbone and pixel decoder at a time when
            predicting. Frames do not interact there, so the result is the same, and
            memory does not grow with the backbone's activations. None: 8, and on a CPU
            no more than hold the pixels of four frames of 384x640.
        predict_dtype: ``float32``, or ``bfloat16`` to predict under autocast, pixel
            decoder included (sampling and norms stay in float32).
        long_videos: arguments of :class:`LongVideos`; None looks at every video of a
            test as a whole.
        frozen: dotted names of modules that stay in evaluation mode and learn nothing,
            such as ``("backbone", "head.pixel_decoder")``.

    Raises:
        ValueError: on an unknown ``predict_dtype`` or module.
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
        frozen: Sequence[str] = (),
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
        self.long_videos = None if long_videos is None else LongVideos(**long_videos)
        self.frozen = tuple(frozen)
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def _frozen_modules(self) -> list[nn.Module]:
        modules = dict(self.named_modules())
        unknown = [name for name in self.frozen if name not in modules]
        if unknown:
            children = sorted({name for name in modules if name.count(".") <= 1} - {""})
            raise ValueError(
                f"frozen must name modules of the model, got {unknown}; there are "
                f"{', '.join(children)} and what is inside of them"
            )
        return [modules[name] for name in self.frozen]

    def train(self, mode: bool = True) -> "VideoSegmentor":
        """Switch the mode of all that is not frozen, which stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def extract_feat(self, batch_inputs: Tensor) -> PixelFeatures:
        """Compute the features of the frames of a batch of clips.

        Args:
            batch_inputs: ``(B, T, 3, H, W)``, normalised and padded.

        Returns:
            Features of ``B * T`` frames, clip by clip.
        """
        frames = batch_inputs.flatten(0, 1)
        step = len(frames) if self.training else self.chunk_length(frames.shape[-2:])
        return join_features(map(self.pixel_features, frames.split(step)), len(frames))

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
        return self.head.pixel_features(self.backbone(frames), frames, autocast=half)

    def preprocess(
        self, clip: Tensor, sample: ClipDataSample
    ) -> tuple[Tensor, ClipDataSample]:
        """Normalise and pad frames of one video, ``(T, 3, h, w)``."""
        data = dict(inputs=[clip], data_samples=[sample])
        data = self.data_preprocessor(data, False)
        return data["inputs"][0], data["data_samples"][0]

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
        """Predict the tracks of videos, each looked at as a whole if the head can.

        Args:
            batch_inputs: ``(B, T, 3, H, W)``, normalised; what is not padded is padded
                here.
            batch_data_samples: their metainfo holds label spaces and sizes.

        Returns:
            The samples, with ``pred_tracks`` and (with TCM) ``pred_taxonomy``.
        """
        height, width = batch_inputs.shape[-2:]
        step = getattr(self.data_preprocessor, "test_size_divisor", _STRIDE)
        batch_inputs = F.pad(batch_inputs, (0, -width % step, 0, -height % step))
        for clip, sample in zip(batch_inputs, batch_data_samples, strict=True):
            sample.set_metainfo(dict(batch_input_shape=tuple(clip.shape[-2:])))
            self._predict_video(clip, sample, whole=True, preprocessed=True)
        return list(batch_data_samples)

    def val_step(self, data: dict[str, Any]) -> list[ClipDataSample]:
        """Predict packed videos, of which only some frames are normalised at a time.

        Args:
            data: ``inputs``: videos (T, 3, h, w) uint8; ``data_samples``.
        """
        samples = []
        for clip, sample in zip(data["inputs"], data["data_samples"], strict=True):
            long = self.long_videos
            whole = long is None or len(clip) <= long.max_frames
            predicted = ClipDataSample(metainfo=sample.metainfo)
            samples.append(self._predict_video(clip, predicted, whole=whole))
        return samples

    def test_step(self, data: dict[str, Any]) -> list[ClipDataSample]:
        """Predict packed videos, see :meth:`val_step`."""
        return self.val_step(data)

    def _predict_video(
        self,
        clip: Tensor,
        sample: ClipDataSample,
        *,
        whole: bool,
        preprocessed: bool = False,
    ) -> ClipDataSample:
        """Add tracks to the sample of one video."""
        plan, link = None, None
        if self.head.plan is None:
            plan = WindowPlan(len(clip), 0) if whole else self.long_videos.windows
        if self.long_videos is not None:
            link = self.long_videos.link
        engine = VideoEngine(
            self, label_space=sample.label_space, plan=plan, several_categories=True
        )
        frames = (dict(inputs=one, data_samples=sample) for one in clip.split(1))
        linker, predictions = engine.linker(link), []
        run = engine.run(frames, num_frames=len(clip), preprocessed=preprocessed)
        for prediction, _ in run:
            linker.add(prediction)
            predictions.append((prediction.taxonomy, prediction.queries))
        reports, queries = zip(*predictions, strict=True)
        limit = engine.max_objects * engine.counted_windows(len(clip))
        sample.pred_tracks = video_tracks(
            linker.finish(),
            limit,
            min_score=self.head.track_decoding.min_score,
            queries=queries[0] if len(queries) == 1 else None,
        )
        if reports[0] is not None:
            sample.pred_taxonomy = joined_taxonomy(reports)
        return sample

    def _forward(
        self,
        batch_inputs: Tensor,
        batch_data_samples: Sequence[ClipDataSample] | None = None,
    ) -> tuple[Tensor, ...]:
        """Return what the head predicts, without tracks (counts of operations)."""
        samples = batch_data_samples or ()
        spaces = [sample.label_space for sample in samples]
        spaces = spaces or [next(iter(self.head.label_spaces))] * len(batch_inputs)
        return self.head(self.extract_feat(batch_inputs), spaces)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Take the head of mmdet's Mask2Former (COCO or VIS) as a warm start."""
        for host in _HOST_PREFIXES:
            for key in [k for k in state_dict if k.startswith(prefix + host)]:
                name = prefix + "head." + key[len(prefix + host) :]
                state_dict[name] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


TMTVIS = VideoSegmentor
