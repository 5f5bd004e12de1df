"""VISInferencer: a video in, named tracks out."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from tmt_vis.models import UnionVocabulary
from tmt_vis.taxonomy import LabelSpace

from .errors import InferenceError
from .frame_sources import FrameSource
from .free_vocabulary import (
    VocabularyInput,
    build_vocabulary,
    parse_vocabulary,
    speaking,
)
from .linking import LinkOptions, TrackLinker
from .loading import default_device, load_config, load_model
from .opening import VideoInput, open_source
from .partial_results import PartialResults, run_key
from .preparation import FramePreparation
from .results import TrackSelection, VideoResult, compiled_categories, select_tracks
from .video_engine import VideoInferenceEngine
from .video_run import Progress, VideoRun, digest_of_state
from .windows import WindowPlan


class VISInferencer:
    """Find, segment and track the objects of videos of any length.

    Args:
        config: Config file, or a config.
        checkpoint: Path or URL of its weights; only tensors are read from it.
        device: Where to compute; None means the GPU if there is one, else the CPU.
        cfg_options: Changes of the config, dotted names and values.
        windows: How many frames are looked at together. Memory grows with them, and
            with nothing else.
        link: When the objects of two windows are the same.
        max_objects: Objects kept per window; None takes ``test_cfg.max_per_video``.
        several_categories: Report every (object, category) pair that is good enough,
            as ``model.predict`` does and benchmarks expect, instead of one category
            per object. Tracks of one object then share their id.

    Example:
        >>> find = VISInferencer("configs/demo/tmt-vis.py", "tmt-vis.pth")
        >>> result = find("holiday.mp4", label_space="ovis")
        >>> [(track.name, track.score) for track in result.tracks]
    """

    def __init__(
        self,
        config: "str | PathLike[str] | Config",
        checkpoint: "str | PathLike[str]",
        device: "torch.device | str | None" = None,
        *,
        cfg_options: Mapping[str, Any] | None = None,
        windows: WindowPlan | None = None,
        link: LinkOptions | None = None,
        max_objects: int | None = None,
        several_categories: bool = False,
    ) -> None:
        self.cfg = load_config(config, cfg_options)
        self.model = load_model(self.cfg, checkpoint, device or default_device())
        self.windows = windows or WindowPlan()
        self.link = link or LinkOptions()
        self.max_objects = max_objects
        self.several_categories = several_categories

    @property
    def label_spaces(self) -> tuple[str, ...]:
        """Names of the label spaces the model was trained on."""
        return tuple(self.model.head.vocabulary.taxonomy.label_spaces)

    def __call__(
        self,
        video: VideoInput,
        *,
        label_space: str | None = None,
        vocabulary: VocabularyInput | None = None,
        score_thr: float = 0.3,
        max_frames: int | None = None,
        partial_dir: "str | PathLike[str] | None" = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> VideoResult:
        """Predict one video.

        Args:
            video: What :func:`open_source` opens: a video file, a folder or pattern of
                frames, an image, a camera index, frames in memory.
            label_space: Predict the categories of this label space of the model; None
                means its first one.
            vocabulary: Predict these categories instead: ``'dog,person,red bus'``, a
                list of names, a label-space file. Needs a text classifier.
            score_thr: Least score of a track.
            max_frames: Frames that are looked at; None means all.
            partial_dir: Folder in which finished windows are kept until the caller
                removes them; None keeps none.
            resume: Go on where an interrupted run with the same input, weights and
                settings ended.
            progress: Called after each frame with frames read and frames expected.

        Returns:
            The result.

        Raises:
            InferenceError: If the request cannot be answered.
            FrameSourceError: If the video cannot be read.
            TextEmbeddingError: If the vocabulary has words without a vector.
        """
        source = self.open(video, label_space)
        space, words = self._categories(label_space, vocabulary)
        _check_length(source, max_frames)
        prepare = FramePreparation(self.cfg, space.name)
        with speaking(self.model.head, words):
            run = VideoRun(
                engine=self._engine(space.name),
                prepare=prepare,
                source=source,
                max_frames=max_frames,
                partial=self.partial_results(
                    source,
                    partial_dir,
                    label_space=label_space,
                    vocabulary=vocabulary,
                    max_frames=max_frames,
                ),
                resume=resume,
                progress=progress,
            )
            return self._link(run, source, space, score_thr)
