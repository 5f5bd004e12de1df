"""One video instance segmentation dataset, read from its native annotation file."""

import os.path as osp
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from torch.utils.data import Dataset

from tmt_vis.annotations import AnnotationFile
from tmt_vis.taxonomy import LabelSpace

from .annotation_index import AnnotationIndex, VideoInfo
from .clip_index import ClipIndex, derive_seed
from .clip_sampling import ClipSampler
from .errors import AnnotationError, ClipFetchError, ClipRejectedError, FrameError
from .frame_files import locate_frame
from .global_random import seeded
from .pipeline import build_pipeline


@DATASETS.register_module()
class VISDataset(Dataset):
    """Clips (training) or whole videos (test) of YouTube-VIS, OVIS, UVO and kin.

    Training items are a pure function of (dataset, video, seed): the same ClipIndex
    gives the same tensors in any worker, after any resume. A clip that cannot be made
    (broken frame file, transform that returned None) is replaced by a clip of the next
    video under a derived seed; each replacement is logged with its reason, counted in
    ``refetches`` (of this process) and in the sample's ``num_refetch``. Test items are
    never replaced.

    Args:
        name: Name in the mixture; the sampler's ratios refer to it.
        label_space: Bundled name, path of a JSON, or a LabelSpace.
        ann_file: Native annotation file, relative to ``data_root``.
        data_root: Root of annotation file and images.
        data_prefix: ``img``: folder of the frames, relative to ``data_root``.
        num_frames: T, frames of a training clip.
        frame_range: Largest distance to the clip's reference frame, in frames.
        stride: Distances to the reference frame are multiples of this.
        frame_order: Order of the frames of a clip, see :class:`ClipSampler`.
        sampling_frame_ratio: Share of each video's frames that is trained on, see
            :class:`ClipSampler`.
        pipeline: Transforms; ends with ``PackClipInputs``.
        test_mode: Return whole videos in file order.
        load_gt: Read annotations; None means "when training".
        keep_empty: Also sample training videos without a usable instance.
        segmentation_key: Which list of masks is read; HQ-YTVIS's training file has
            ``segmentations_refined`` as well.
        category_map: Name in the label space of each category of the file that is
            trained on, for a file with other categories, such as COCO's for a model of
            YouTube-VIS. Objects of all others are left out.
        annotated_frames_only: Leave frames in which no object has a mask out of all
            clips and videos, for files annotated at some frames only (UVO's sparse
            set). Give the metric the same value.
        all_frames: BURST, tests only: read the frames between the annotated ones too.
            The metric scores the annotated ones and needs no option.
        max_refetch: Replacements tried before a training item is an error.
        backend_args: mmengine file backend options of the annotation file.

    Raises:
        AnnotationError: If the annotation file breaks a rule of the format, or no video
            is left to train on.
    """

    # What reads ann_file; ImageDataset has another.
    annotation_file: type[AnnotationFile] = AnnotationFile

    def __init__(
        self,
        *,
        name: str,
        label_space: str | LabelSpace,
        ann_file: str,
        data_root: str = "",
        data_prefix: Mapping[str, str] | None = None,
        num_frames: int = 2,
        frame_range: int = 20,
        stride: int = 1,
        frame_order: str | Mapping[str, float] = "sorted",
        sampling_frame_ratio: float = 1.0,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
        load_gt: bool | None = None,
        keep_empty: bool = False,
        segmentation_key: str = "segmentations",
        annotated_frames_only: bool = False,
        category_map: Mapping[str, str] | None = None,
        all_frames: bool = False,
        max_refetch: int = 10,
        backend_args: Mapping[str, Any] | None = None,
    ) -> None:
        if all_frames and not test_mode:
            raise ValueError(
                "all_frames=True is for tests: nobody annotated the frames between, so "
                "training would take objects in them for background"
            )
        if isinstance(label_space, str):
            label_space = LabelSpace.load(label_space)
        self.name = name
        self.label_space = label_space
        self.ann_file = osp.join(data_root, ann_file)
        self.image_root = osp.join(data_root, _image_prefix(data_prefix))
        self.test_mode = test_mode
        self.keep_empty = keep_empty
        self.max_refetch = max_refetch
        self.refetches: Counter[str] = Counter()
        self._sample_frames = ClipSampler(
            num_frames=num_frames,
            frame_range=frame_range,
            stride=stride,
            frame_order=frame_order,
            sampling_frame_ratio=sampling_frame_ratio,
        )
        self.pipeline = build_pipeline(pipeline)
        file = self.annotation_file(
            self.ann_file,
            label_space,
            with_gt=not test_mode if load_gt is None else load_gt,
            segmentation_key=segmentation_key,
            annotated_frames_only=annotated_frames_only,
            all_frames=all_frames,
            category_map=category_map,
            backend_args=backend_args,
        )
        self.index = AnnotationIndex(file, num_slots=len(label_space))
        self._rows = self._select_rows()

    @property
    def names(self) -> tuple[str, ...]:
        """The dataset's name, as a mixture of one."""
        return (self.name,)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of sampled videos by dataset name."""
        return {self.name: len(self)}

    @property
    def metainfo(self) -> dict[str, Any]:
        """Plain facts of the dataset, safe to store in a checkpoint."""
        return dict(
            name=self.name,
            label_space=self.label_space.name,
            classes=tuple(self.label_space.names),
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | ClipIndex) -> dict[str, Any]:
        """Return one packed clip or video.

        Args:
            index: A ClipIndex (its ``dataset`` is not looked at), or the position of a
                video; in training its seed is then drawn from ``numpy.random``.

        Returns:
            What the pipeline returns, usually dict(inputs, data_samples).

        Raises:
            IndexError: If there is no such video.
            FrameError: In test mode, if a frame cannot be read.
            ClipFetchError: In training, after ``max_refetch`` replacements.
        """
        if isinstance(index, ClipIndex):
            video, seed = index.video, index.seed
        else:
            video, seed = int(index), None
        if not 0 <= video < len(self):
            raise IndexError(f"video {video} of dataset {self.name!r} of {len(self)}")
        if seed is None:
            seed = 0 if self.test_mode else int(np.random.randint(2**32, dtype="u4"))
        return self._fetch_all(video) if self.test_mode else self._fetch(video, seed)

    def video(self, video: int) -> VideoInfo:
        """Return the facts of a sampled video."""
        return self.index.video(int(self._rows[video]))

    def _fetch_all(self, video: int) -> dict[str, Any]:
        frame_ids = list(range(self.video(video).length))
        try:
            return self._run_pipeline(video, frame_ids, seed=0, num_refetch=0)
        except ClipRejectedError as error:
            raise ClipFetchError(
                f"the test pipeline of {self.name!r} rejected video "
                f"{self.video(video).name} ({error}); test videos are never replaced, "
                "so remove the transform that filters"
            ) from error

    def _fetch(self, video: int, seed: int) -> dict[str, Any]:
        error: FrameError | ClipRejectedError | None = None
        for attempt in range(self.max_refetch + 1):
            # Attempt 0 keeps the seed, so a sample's (video, clip_seed) always names
            # the clip it holds, replaced or not.
            clip_seed = seed if attempt == 0 else derive_seed(seed, attempt)
            clip_video = (video + attempt) % len(self)
            try:
                return self._fetch_once(clip_video, clip_seed, attempt)
            except (FrameError, ClipRejectedError) as caught:
                error = caught
                kind = "frame" if isinstance(caught, FrameError) else "rejected"
                self._record_refetch(kind, clip_video, clip_seed, str(caught))
        raise ClipFetchError(
            f"no clip of dataset {self.name!r} after max_refetch={self.max_refetch} "
            f"replacements, starting at video {video}, seed {seed}, the last for: "
            f"{error}; check data_root and data_prefix (frames are sought under "
            f"{self.image_root!r}) and the transforms that reject clips"
        ) from error

    def _fetch_once(self, video: int, seed: int, attempt: int) -> dict[str, Any]:
        visible = self.index.visible_in(int(self._rows[video]))
        # Its own generator: adding a transform does not change which frames are drawn.
        frame_ids = self._sample_frames(visible, np.random.default_rng(seed))
        return self._run_pipeline(video, frame_ids, seed=seed, num_refetch=attempt)

    def _run_pipeline(
        self, video: int, frame_ids: list[int], *, seed: int, num_refetch: int
    ) -> dict[str, Any]:
        info = self.video(video)
        row = int(self._rows[video])
        records = [self.index.frame(row, frame_id) for frame_id in frame_ids]
        results = dict(
            dataset=self.name,
            label_space=self.label_space.name,
            video_id=info.video_id,
            video_name=info.name,
            video_length=info.length,
            ori_shape=(info.height, info.width),
            known_slots=info.known_slots,
            incomplete_slots=info.incomplete_slots,
            clip_seed=seed,
            num_refetch=num_refetch,
            frame_ids=frame_ids,
            img_path=[locate_frame(self.image_root, r.file_name) for r in records],
            instances=[r.instances for r in records],
        )
        with seeded(seed):
            return self.pipeline(results)

    def _record_refetch(self, kind: str, video: int, seed: int, why: str) -> None:
        self.refetches[kind] += 1
        MMLogger.get_current_instance().warning(
            "%s: clip (video %d, seed %d) replaced, %d so far in this process: %s",
            *(self.name, video, seed, self.refetches.total(), why),
        )

    def _select_rows(self) -> np.ndarray:
        rows = np.arange(len(self.index))
        if not self.test_mode:
            usable = self._usable_rows()
            self._log_summary(len(rows) - len(usable))
            rows = rows if self.keep_empty else usable
        if not len(rows):
            raise self._nothing_left()
        return rows

    def _nothing_left(self) -> AnnotationError:
        problem = "no video is left to sample"
        remedy = "check that annotations is not null, or set test_mode"
        ignored = self.index.counts["ignored"]
        if ignored:
            problem += f": all {ignored} objects are crowd regions (iscrowd or ignore)"
            remedy = (
                "some tools write iscrowd 1 for every mask that is not a polygon: set "
                "it to 0, or convert the export again (tools/convert_dataset.py coco)"
            )
        return AnnotationError(
            file=self.ann_file, entry="videos", problem=problem, remedy=remedy
        )

    def _usable_rows(self) -> np.ndarray:
        rows = self.index.rows_with_instances()
        if self._sample_frames.sampling_frame_ratio == 1:
            return rows
        visible = map(self.index.visible_in, rows)
        usable = self._sample_frames.usable_frames
        return rows[[bool(v[usable(len(v))].any()) for v in visible]]

    def _log_summary(self, num_empty: int) -> None:
        per_slot = self.index.instances_per_slot
        MMLogger.get_current_instance().info(
            "%s (%s): %d videos, %d without usable instance %s; %d instances in %d of "
            "%d categories; %s; index of %.1f MB",
            *(self.name, self.label_space.name, len(self.index), num_empty),
            "kept" if self.keep_empty else "skipped",
            *(per_slot.sum(), np.count_nonzero(per_slot), len(per_slot)),
            dict(self.index.counts),
            self.index.nbytes / 1e6,
        )


def _image_prefix(data_prefix: Mapping[str, str] | None) -> str:
    prefix = dict(data_prefix or {})
    image = prefix.pop("img", "")
    if prefix:
        raise ValueError(
            f"data_prefix knows the key 'img' only, got also {sorted(prefix)}"
        )
    return image
