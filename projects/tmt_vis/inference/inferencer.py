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
from tmt_vis.streaming import LinkOptions, VideoEngine, WindowPlan, choose_plan
from tmt_vis.taxonomy import LabelSpace

from .devices import device_kind
from .errors import InferenceError
from .frame_sources import FrameSource
from .free_vocabulary import VocabularyInput, build_vocabulary, parse_vocabulary
from .loading import digest_of_state, load_config, load_model, open_named
from .opening import VideoInput, open_source
from .partial_results import PartialResults, run_key
from .preparation import FramePreparation, image_backend
from .results import TrackSelection, VideoResult
from .video_task import Progress, VideoTask


class VISInferencer:
    """Find, segment and track the objects of videos of any length.

    Args:
        config: Name of a released model (``tmt-vis infer --list-models``); or, with a
            checkpoint, a config file or a config.
        checkpoint: Path or URL of weights; only tensors are read from it. None takes
            those of the name, which are fetched and converted the first time.
        device: Where to compute; None means the GPU if there is one, else the CPU.
        cfg_options: Changes of the config, dotted names and values.
        windows: How many frames are looked at together; None takes what the model was
            made for. Memory grows with them, and with nothing else but the masks that
            are found.
        link: When the objects of two windows are the same.
        max_objects: Objects kept per window; None takes ``test_cfg.max_per_video``.
        several_categories: Report every (object, category) pair that is good enough,
            as ``model.predict`` does and benchmarks expect, instead of one category
            per object. Tracks of one object then share their id.
        max_iou: Drop objects that overlap a better one by more than this tube IoU;
            None keeps all, as ``model.predict``.
        dtype: ``float32`` or ``bfloat16``; None takes the config's ``predict_dtype``.
        accept_license: Whether the licence of a released model's weights is accepted;
            once is enough.

    Raises:
        ModelZooError: If there is no released model of this name, or it cannot be had.
        InferenceError: If config and checkpoint do not belong together.

    Example:
        >>> find = VISInferencer("tmt-vis_r18-tiny_sprites")
        >>> result = find("holiday.mp4", label_space="ovis")
        >>> [(track.id, track.name, track.score) for track in result.tracks]
        [(1, 'Person', 0.93), (2, 'Dog', 0.88)]
    """

    def __init__(
        self,
        config: str | PathLike[str] | Config,
        checkpoint: str | PathLike[str] | None = None,
        device: torch.device | str | None = None,
        *,
        cfg_options: Mapping[str, Any] | None = None,
        windows: WindowPlan | None = None,
        link: LinkOptions | None = None,
        max_objects: int | None = None,
        several_categories: bool = False,
        max_iou: float | None = None,
        dtype: str | None = None,
        accept_license: bool = False,
    ) -> None:
        if checkpoint is None:
            named = open_named(config, accept_license=accept_license)
            config, checkpoint = named.config, named.checkpoint
        self.cfg = load_config(config, cfg_options)
        if dtype is not None:
            self.cfg.model.predict_dtype = dtype
        self.model = load_model(self.cfg, checkpoint, device)
        try:
            self.windows = choose_plan(self.model.head, windows)
        except ValueError as error:
            raise InferenceError(str(error)) from error
        self.link = link or LinkOptions()
        self.max_objects = max_objects
        self.several_categories = several_categories
        self.max_iou = max_iou

    @property
    def label_spaces(self) -> tuple[str, ...]:
        """Names of the label spaces the model was trained on."""
        return tuple(self.model.head.label_spaces)

    def __call__(
        self,
        video: VideoInput,
        *,
        label_space: str | None = None,
        vocabulary: VocabularyInput | None = None,
        score_thr: float = 0.3,
        max_frames: int | None = None,
        partial_dir: str | PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> VideoResult:
        """Predict one video.

        Args:
            video: What :func:`open_source` opens: a video file, a folder or pattern of
                frames, an image, a camera index, frames in memory (BGR).
            label_space: Predict the categories of this label space of the model; None
                means its first one.
            vocabulary: Predict these categories instead: ``'dog,person,red bus'``, a
                list of names, a label-space file. Needs a text classifier.
            score_thr: Least score of a track.
            max_frames: Frames that are looked at; None means all.
            partial_dir: Folder in which finished windows are kept, until the caller
                removes them; None keeps none.
            resume: Go on where an interrupted run with the same ``partial_dir``,
                input, weights and settings ended.
            progress: Called after each frame with frames read and frames expected.

        Returns:
            The result.

        Raises:
            InferenceError: If the request cannot be answered.
            FrameSourceError: If the video cannot be read.
            TextEmbeddingError: If the vocabulary has words without a vector.
        """
        task = self.task(
            video,
            label_space=label_space,
            vocabulary=vocabulary,
            score_thr=score_thr,
            max_frames=max_frames,
            partial_dir=partial_dir,
        )
        return task.run(resume=resume, progress=progress)

    def task(
        self,
        video: VideoInput,
        *,
        label_space: str | None = None,
        vocabulary: VocabularyInput | None = None,
        score_thr: float = 0.3,
        max_frames: int | None = None,
        partial_dir: str | PathLike[str] | None = None,
    ) -> VideoTask:
        """Check a request and open its video, without predicting yet.

        Takes the arguments of a call; what they mean is said there.

        Returns:
            The task; its ``run`` predicts.
        """
        space, words = self._categories(label_space, vocabulary)
        prepare = FramePreparation(self.cfg, space.name)
        source = self.open(video, label_space=space.name)
        if source.endless and max_frames is None:
            raise InferenceError(f"{source.name} has no end: give max_frames")
        limit = self._limit(space.name if words is None else None)
        partial = None
        if partial_dir is not None:
            facts = self._facts(prepare, words, limit) | dict(max_frames=max_frames)
            partial = _partial_results(Path(partial_dir), source, facts)
        selection = TrackSelection(
            score_thr, limit, self.several_categories, self.max_iou
        )
        return VideoTask(
            source=source,
            label_space=space,
            taxonomy=(words or self.model.head.vocabulary).taxonomy,
            engine=self._engine(space.name, words, limit),
            prepare=prepare,
            selection=selection,
            link=self.link,
            max_frames=max_frames,
            partial=partial,
        )

    def identity(
        self,
        *,
        label_space: str | None = None,
        vocabulary: VocabularyInput | None = None,
    ) -> dict[str, Any]:
        """Tell two inferencers with other results apart.

        Args:
            label_space: As for a call.
            vocabulary: As for a call.

        Returns:
            JSON data: digests of weights and config, categories, windows and limits;
            not the device, and no option of a call.
        """
        space, words = self._categories(label_space, vocabulary)
        limit = self._limit(space.name if words is None else None)
        facts = self._facts(FramePreparation(self.cfg, space.name), words, limit)
        config = {key: facts.pop(key) for key in ("model", "transforms")}
        for machine in ("device", "torch"):
            del facts[machine]
        return {
            **facts,
            "config": run_key(config),
            "categories": list(space.names),
            "link": asdict(self.link),
            "max_iou": self.max_iou,
        }

    def open(
        self,
        video: VideoInput,
        *,
        label_space: str | None = None,
        fps: float | None = None,
    ) -> FrameSource:
        """Open a video, reading image files as the config does.

        Args:
            video: As for a call.
            label_space: Whose test pipeline counts.
            fps: Overrides the frames per second of the input.
        """
        backend = image_backend(self.cfg, label_space)
        return open_source(video, fps=fps, image_backend=backend)

    def _categories(
        self, label_space: str | None, vocabulary: VocabularyInput | None
    ) -> tuple[LabelSpace, UnionVocabulary | None]:
        if vocabulary is not None:
            if label_space is not None:
                raise InferenceError(
                    f"give a label space or a vocabulary, got both: {label_space!r} "
                    f"and {vocabulary!r}"
                )
            space = parse_vocabulary(vocabulary)
            text_cfg = self.cfg.model.head.get("text_embeddings")
            return space, build_vocabulary(space, self.model.head, text_cfg)
        spaces = self.model.head.label_spaces
        name = label_space or next(iter(spaces))
        if name not in spaces:
            raise InferenceError(
                f"the model predicts the label spaces {', '.join(spaces)}, got "
                f"{name!r}; categories it was not trained on are a vocabulary "
                "(vocabulary=, --vocabulary)"
            )
        return spaces[name], None

    def _engine(
        self, label_space: str, words: UnionVocabulary | None, limit: int
    ) -> VideoEngine:
        return VideoEngine(
            self.model,
            label_space=label_space,
            vocabulary=words,
            plan=self.windows,
            max_objects=limit,
            several_categories=self.several_categories,
        )

    def _limit(self, label_space: str | None) -> int:
        """Return the objects kept per window; None stands for a free vocabulary."""
        if self.max_objects is not None:
            return self.max_objects
        return self.model.head.limit(label_space)

    @cached_property
    def _weights(self) -> str:
        return digest_of_state(self.model)

    def _facts(
        self, prepare: FramePreparation, words: UnionVocabulary | None, limit: int
    ) -> dict[str, Any]:
        """List what windows depend on, besides the video."""
        return dict(
            model=self.cfg.model.to_dict(),
            weights=self._weights,
            vocabulary=None if words is None else digest_of_state(words),
            label_space=prepare.label_space,
            transforms=prepare.transforms,
            windows=asdict(self.windows),
            max_objects=limit,
            several_categories=self.several_categories,
            # The last bits of a number depend on them.
            device=device_kind(next(self.model.parameters()).device),
            torch=torch.__version__,
        )


def _partial_results(
    folder: Path, source: FrameSource, facts: Mapping[str, Any]
) -> PartialResults:
    key = run_key({**facts, "input": source.identity()})
    return PartialResults(folder, name=source.name, key=key)
