"""From a frame to a model input: the transforms of the config's test pipeline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from tmt_vis.datasets.errors import ClipRejectedError
from tmt_vis.datasets.global_random import seeded
from tmt_vis.datasets.pipeline import build_pipeline

from .errors import InferenceError

_READERS = ("LoadClipFrames", "LoadClipAnnotations")
_TEST_SEED = 0  # test items of VISDataset are made under this seed


class FramePreparation:
    """Prepare frames as the test dataset of a config would.

    The transforms of the config run on one frame at a time; only those that read
    files are left out, so a resize or a crop of the config needs no second
    implementation that could differ.

    Args:
        cfg: The whole config, with ``test_dataloader``.
        label_space: Label space that is predicted; the pipeline of its test dataset
            is used if there is one, else that of the first test dataset.

    Raises:
        InferenceError: If the config has no test pipeline, or one that does not begin
            by reading frames.
    """

    def __init__(self, cfg: Config, label_space: str) -> None:
        self.label_space = label_space
        pipeline = _test_pipeline(cfg, label_space)
        self.transforms = [t for t in pipeline if _type_name(t) not in _READERS]
        self._pipeline = build_pipeline(self.transforms)

    def __call__(
        self, frames: Iterable[np.ndarray], *, name: str, start: int = 0
    ) -> Iterator[dict[str, Any]]:
        """Prepare frames one by one.

        Args:
            frames: (H, W, 3) uint8 BGR.
            name: Name of the video.
            start: Number of the first frame.

        Yields:
            Packed frames: ``inputs`` (1, 3, h, w) and ``data_samples``.
        """
        for number, frame in enumerate(frames, start):
            yield self._prepare(frame, number, name)

    def _prepare(self, frame: np.ndarray, number: int, name: str) -> dict[str, Any]:
        results = dict(
            dataset=self.label_space,
            label_space=self.label_space,
            video_id=0,
            video_name=name,
            ori_shape=frame.shape[:2],
            clip_seed=_TEST_SEED,
            num_refetch=0,
            frame_ids=[number],
            img=[frame],
            img_shape=[frame.shape[:2]],
        )
        try:
            with seeded(_TEST_SEED):
                return self._pipeline(results)
        except ClipRejectedError as error:
            raise InferenceError(
                f"the test pipeline rejected frame {number} of {name} ({error}); "
                "remove the transform that filters"
            ) from error


def image_backend(cfg: Config, label_space: str | None) -> str:
    """Return the mmcv backend that decodes image files in the test pipeline.

    Args:
        cfg: The whole config.
        label_space: Whose test pipeline counts.
    """
    reader = _test_pipeline(cfg, label_space)[0]
    return reader.get("imdecode_backend", "cv2")


def _test_pipeline(cfg: Config, label_space: str | None) -> Sequence[Mapping[str, Any]]:
    dataset = (cfg.get("test_dataloader") or {}).get("dataset", {})
    datasets = dataset.get("datasets", {"": dataset})
    pipelines = {
        one.get("label_space"): one["pipeline"]
        for one in datasets.values()
        if one is not None and one.get("pipeline")
    }
    if not pipelines:
        raise InferenceError(
            "the config has no test pipeline, so the input size of the model is "
            "unknown; set test_dataloader.dataset (see configs/_base_/datasets)"
        )
    pipeline = pipelines.get(label_space, next(iter(pipelines.values())))
    if _type_name(pipeline[0]) != "LoadClipFrames":
        raise InferenceError(
            "the test pipeline must begin with LoadClipFrames, which inference "
            f"replaces by its own reading, got {_type_name(pipeline[0])}"
        )
    return pipeline


def _type_name(transform: Mapping[str, Any]) -> str:
    kind = transform["type"]
    return kind.rpartition(".")[2] if isinstance(kind, str) else kind.__name__
