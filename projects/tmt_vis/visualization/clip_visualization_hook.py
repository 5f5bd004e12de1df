"""Videos of what the model finds while it is validated or tested."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from tmt_vis.files import file_name
from tmt_vis.structures import ClipDataSample, distinct_tubes

from .draw import TrackLabel, draw_video
from .video_writer import write_video


@HOOKS.register_module()
class ClipVisualizationHook(Hook):
    """Write the tracks of test videos as mp4, one file per video.

    ``tools/test.py --show-dir`` and mmdet's (``mim test``) switch it on; in training,
    ``default_hooks.visualization.draw=True`` does, for every validation. A query is
    shown once, with its best category.

    Args:
        draw: Whether anything is drawn.
        score_thr: Tracks below this score are left out.
        max_iou: So are tracks that overlap a better one by more, such as 0.7: two
            queries on one object. None shows them.
        max_videos: Videos of each dataset and process; None draws all.
        fps: Frames per second of the files.
        show: Not possible for a video; there for mmdet's tool.
        wait_time: Not used; there for mmdet's tool.
        test_out_dir: Folder for tests, below ``work_dir/TIMESTAMP`` unless absolute. A
            validation writes to ``work_dir/TIMESTAMP/vis_video/iter_N``.

    Raises:
        ValueError: If ``show`` is set, or a number is out of range.
    """

    priority = "LOW"

    def __init__(
        self,
        *,
        draw: bool = False,
        score_thr: float = 0.3,
        max_iou: float | None = None,
        max_videos: int | None = 10,
        fps: float = 6.0,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
    ) -> None:
        if show:
            raise ValueError(
                "show=True opens windows for images; tracks are videos, so write them "
                "with --show-dir DIR (test_out_dir) and play the mp4 files"
            )
        if (max_videos is not None and max_videos < 1) or not fps > 0:
            raise ValueError(
                "drawing needs max_videos >= 1 or None and fps > 0, got "
                f"{max_videos} and {fps}; draw=False draws nothing"
            )
        if not 0 <= (max_iou or 0) <= 1:
            raise ValueError(f"max_iou is an IoU in [0, 1] or None, got {max_iou}")
        self.draw = draw
        self.score_thr = score_thr
        self.max_iou = max_iou
        self.max_videos = max_videos
        self.fps = fps
        self.test_out_dir = test_out_dir or "vis_video"
        self._drawn: Counter[str] = Counter()

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to count."""
        self._drawn.clear()

    def before_test_epoch(self, runner: Runner) -> None:
        """Start to count."""
        self._drawn.clear()

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[ClipDataSample] | None = None,
    ) -> None:
        """Write the videos of a validation step.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: ``inputs``, B videos (T, 3, h, w) uint8 BGR, from the loader.
            outputs: Their samples with ``pred_tracks``.
        """
        folder = Path("vis_video") / f"iter_{runner.iter}"
        self._write(runner, folder, data_batch, outputs)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[ClipDataSample] | None = None,
    ) -> None:
        """Write the videos of a test step; arguments as of :meth:`after_val_iter`."""
        self._write(runner, Path(self.test_out_dir), data_batch, outputs)

    def _write(
        self,
        runner: Runner,
        folder: Path,
        data_batch: dict[str, Any],
        outputs: Sequence[ClipDataSample],
    ) -> None:
        if not self.draw:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        spaces = model.head.vocabulary.taxonomy.label_spaces
        for clip, sample in zip(data_batch["inputs"], outputs, strict=True):
            if self._drawn[sample.dataset] == self.max_videos:
                continue
            self._drawn[sample.dataset] += 1
            # Official names of videos are folders or numbers; a nested one stays one.
            name = file_name(str(sample.video_name))
            path = Path(runner.work_dir) / runner.timestamp / folder / sample.dataset
            frames = self._frames(clip, sample, spaces[sample.label_space].names)
            try:
                write_video(path / f"{name}.mp4", frames, fps=self.fps)
            except OSError as error:  # a picture is not worth a training
                runner.logger.warning(f"a video was not drawn: {error}")

    def _frames(
        self, clip: Tensor, sample: ClipDataSample, names: Sequence[str]
    ) -> Iterator[np.ndarray]:
        tracks = sample.pred_tracks
        rows = _best_rows(tracks.queries.tolist(), tracks.scores.tolist())
        rows = [row for row in rows if tracks.scores[row] >= self.score_thr]
        if self.max_iou is not None:
            rows = distinct_tubes(rows, tracks.tubes, self.max_iou)
        labels = [
            TrackLabel(
                number, names[int(tracks.labels[row])], float(tracks.scores[row])
            )
            for number, row in enumerate(rows, 1)
        ]
        images = (_to_image(frame, sample.ori_shape) for frame in clip)
        return draw_video(images, [tracks.tubes[row] for row in rows], labels)


def _best_rows(queries: Sequence[int], scores: Sequence[float]) -> list[int]:
    """Return the best track of each query, best first."""
    best: dict[int, int] = {}
    for row in sorted(range(len(queries)), key=lambda row: -scores[row]):
        best.setdefault(queries[row], row)
    return list(best.values())


def _to_image(frame: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Bring one frame of the loader, (3, h, w) BGR, to (H, W, 3) RGB uint8."""
    image = frame.flip(0).permute(1, 2, 0).byte().cpu().numpy()
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
