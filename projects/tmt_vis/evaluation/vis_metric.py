"""The AP of one dataset, inside MMEngine's validation and test loops."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

from tmt_vis.taxonomy import LabelSpace, Taxonomy

from .ap_table import APTable
from .average_precision import evaluate_tubes
from .coverage import missing_videos
from .ground_truth import AnnotationFile, load_annotations
from .protocol import VISProtocol
from .report import class_rows, format_classes, format_summary, partition_ap
from .results_io import write_results
from .taxonomy_record import CategoryRanking, TaxonomyRecord
from .tracking import SHOWN, evaluate_tracking, require_trackeval
from .tube_metric import TubeMetric
from .video_tubes import PredictedTubes


class _Video(NamedTuple):
    """What is kept of a video; the ranking only if the model compiles a taxonomy."""

    tubes: PredictedTubes
    ranking: CategoryRanking | None


@METRICS.register_module()
class VISMetric(TubeMetric):
    """Evaluate predicted tracks against the dataset's own annotation file.

    Reported are ``DATASET/AP``, AP50, AP75, APs, APm, APl, AR1, AR10, AR100 as
    fractions (NaN = nothing to measure), and a table per category in the log; a label
    space with partitions (LV-VIS: base, novel) adds ``AP_base`` and so on. Every
    video of the file must be predicted once; a video that comes several times, because
    the sampler pads the last batch, counts once.

    Args:
        dataset: Name of the dataset in the mixture; prefix of the metric names.
        ann_file: Original annotation file of the dataset. If it withholds the
            annotations, only the submission is written.
        label_space: Bundled name or file of its label space; None means ``dataset``.
        train_label_spaces: Label spaces trained on; adds AP_seen and AP_unseen.
        class_agnostic: Ignore categories.
        format_only: Write the submission without evaluating.
        outfile_prefix: Write ``PREFIX.results.json`` and ``PREFIX.zip``. Without
            annotations, or with ``format_only``, the default is
            ``submissions/DATASET`` beside the log file (in the current folder if
            nothing is logged to a file).
        segmentation_key: Which list of masks of the file is the ground truth; that of
            the dataset (``segmentations_refined`` exists in HQ-YTVIS).
        annotated_frames_only: As in the dataset: frames without any mask do not count.
        boundary: Also report Tube-Boundary AP (HQ-YTVIS) as AP_boundary,
            AP50_boundary and so on.
        hota: Also report HOTA, DetA, AssA, LocA, MOTA, IDSW and IDF1, means over the
            categories with objects. Needs the package trackeval.
        min_score: Tracks with a lower score do not count in HOTA and the others, which
            do not rank.
        allow_missing_videos: Treat videos without result as videos without tracks (a
            lower AP, with a warning) instead of refusing.
        taxonomy_file: Write which categories were compiled for each video, for
            ``tools/analysis/taxonomy_report.py``. With or without it,
            ``DATASET/taxo_recall`` is reported if the model compiles a taxonomy: the
            share of the categories in the videos that it compiled.

    Raises:
        FileNotFoundError: If there is no annotation file.
    """

    def __init__(
        self,
        *,
        dataset: str,
        ann_file: str,
        label_space: str | None = None,
        train_label_spaces: Sequence[str] | None = None,
        class_agnostic: bool = False,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        segmentation_key: str = "segmentations",
        annotated_frames_only: bool = False,
        boundary: bool = False,
        hota: bool = False,
        min_score: float = 0.0,
        allow_missing_videos: bool = False,
        taxonomy_file: str | None = None,
    ) -> None:
        super().__init__(dataset=dataset, label_space=label_space)
        if not Path(ann_file).is_file():
            raise FileNotFoundError(
                f"ann_file of dataset {dataset!r} does not exist: {ann_file}"
            )
        self.ann_file = ann_file
        self.train_label_spaces = train_label_spaces
        self.class_agnostic = class_agnostic
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self.segmentation_key = segmentation_key
        self.annotated_frames_only = annotated_frames_only
        self.boundary = boundary
        self.hota = hota
        self.min_score = min_score
        if hota:
            require_trackeval()  # now, not after hours of training
        self.allow_missing_videos = allow_missing_videos
        self.taxonomy_file = taxonomy_file
        # Now, so that a wrong file is noticed before hours of training; and here only,
        # because no other rank evaluates.
        if is_main_process():
            self._choose_outfile()

    @cached_property
    def annotations(self) -> AnnotationFile:
        """The annotation file, read once per process."""
        return load_annotations(
            self.ann_file,
            label_space=self.label_space,
            segmentation_key=self.segmentation_key,
            annotated_frames_only=self.annotated_frames_only,
        )

    def _choose_outfile(self) -> None:
        """Give a submission a place where nothing else will come out of the run."""
        withheld = self.annotations.ground_truth is None
        if not (withheld or self.format_only):
            return
        if self.outfile_prefix is None:
            self.outfile_prefix = _beside_log(self.dataset)

    def collect(self, sample: dict[str, Any]) -> "_Video":
        """Keep the tracks of a video as run-length codes."""
        tracks = sample["pred_tracks"]
        tubes = PredictedTubes(
            tubes=tuple(tracks["tubes"]),
            slots=_to_numpy(tracks["labels"]).astype(np.int64),
            scores=_to_numpy(tracks["scores"]).astype(np.float64),
        )
        compiled = sample.get("pred_taxonomy")
        ranking = None if compiled is None else CategoryRanking.from_sample(compiled)
        return _Video(tubes, ranking)

    def compute(self, videos: dict[int, "_Video"]) -> dict[str, float]:
        """Write the submission, if asked for, and compute AP.

        Args:
            videos: Tracks and ranking of each video.

        Returns:
            Metrics without prefix; empty if the ground truth is withheld.
        """
        rankings = {k: v.ranking for k, v in videos.items() if v.ranking is not None}
        tubes = {video_id: video.tubes for video_id, video in videos.items()}
        return self._tube_metrics(tubes) | self._taxonomy_recall(rankings)

    def _tube_metrics(self, predictions: dict[int, PredictedTubes]) -> dict[str, float]:
        self._choose_outfile()
        self._check_videos(predictions)
        if self.outfile_prefix is not None:
            self._write(predictions)
        if self.format_only or self.annotations.ground_truth is None:
            return {}
        predictions = self.annotations.counted(predictions)
        table = self._evaluate(predictions, boundary=False)
        parts = {**self._seen_and_unseen(table), **self._partitions(table)}
        metrics = {**table.summary(), **parts}
        if self.boundary:
            edges = self._evaluate(predictions, boundary=True).summary()
            metrics |= {f"{name}_boundary": value for name, value in edges.items()}
        if self.hota:
            metrics |= self._tracking(predictions)
        self._log(table, metrics)
        return metrics

    def _evaluate(
        self, predictions: dict[int, PredictedTubes], *, boundary: bool
    ) -> APTable:
        return evaluate_tubes(
            self.annotations.ground_truth,
            predictions,
            num_slots=len(self.label_space),
            protocol=VISProtocol(class_agnostic=self.class_agnostic, boundary=boundary),
        )

    def _tracking(self, predictions: dict[int, PredictedTubes]) -> dict[str, float]:
        agnostic = self.class_agnostic
        table = evaluate_tracking(
            self.annotations.ground_truth,
            predictions,
            names=["any category"] if agnostic else self.label_space.names,
            min_score=self.min_score,
        )
        return {name: table.class_averaged[name] for name in SHOWN}

    def _taxonomy_recall(
        self, rankings: dict[int, CategoryRanking]
    ) -> dict[str, float]:
        """Measure the taxonomy compilation of all videos, and write it if asked to."""
        if not rankings:
            return {}
        record = TaxonomyRecord.collect(
            rankings, self.annotations, dataset=self.dataset
        )
        if self.taxonomy_file is not None:
            record.save(self.taxonomy_file)
        return {} if record.present is None else {"taxo_recall": record.recall()}

    def _check_videos(self, predictions: dict[int, PredictedTubes]) -> None:
        missing = missing_videos(predictions, self.annotations)
        if not missing:
            return
        text = (
            f"{len(missing)} of {len(self.annotations.videos)} videos of "
            f"{self.dataset!r} have no result, e.g. {missing[:5]}"
        )
        if not self.allow_missing_videos:
            raise ValueError(
                f"{text}; pass allow_missing_videos=True to count them as videos "
                "without tracks"
            )
        MMLogger.get_current_instance().warning(
            f"{text}; they count as videos without tracks"
        )

    def _write(self, predictions: dict[int, PredictedTubes]) -> None:
        logger = MMLogger.get_current_instance()
        written = write_results(self.outfile_prefix, predictions, self.annotations)
        logger.info(
            f"{self.dataset}: {written.num_tracks} tracks in {written.json_file}; "
            f"submit {written.zip_file}"
        )
        if written.num_dropped:
            logger.warning(
                f"{self.dataset}: {written.num_dropped} tracks left out, because "
                f"{self.ann_file} does not list their categories"
            )
        if self.annotations.ground_truth is None:
            logger.warning(
                f"{self.dataset}: {self.ann_file} holds no annotations, no AP computed"
            )

    def _seen_and_unseen(self, table: APTable) -> dict[str, float]:
        """Split AP by whether a training label space has the category (Table 12)."""
        if self.train_label_spaces is None or self.class_agnostic:
            return {}
        spaces = [LabelSpace.load(name) for name in self.train_label_spaces]
        names = [space.name for space in spaces]
        tested = [] if self.label_space.name in names else [self.label_space]
        taxonomy = Taxonomy.from_label_spaces([*spaces, *tested])
        seen = taxonomy.seen(names, self.label_space.name)
        return {"AP_seen": table.ap(slots=seen), "AP_unseen": table.ap(slots=~seen)}

    def _partitions(self, table: APTable) -> dict[str, float]:
        """Split AP by the partitions of the label space (LV-VIS: base and novel)."""
        return {} if self.class_agnostic else partition_ap(table, self.label_space)

    def _log(self, table: APTable, metrics: dict[str, float]) -> None:
        names = ["any category"] if self.class_agnostic else self.label_space.names
        MMLogger.get_current_instance().info(
            f"{self.dataset}, {len(self.annotations.videos)} videos, in percent:\n"
            f"{format_classes(class_rows(table, names))}\n{format_summary(metrics)}"
        )


def _beside_log(dataset: str) -> str:
    """Return where a submission goes by default."""
    files = [
        Path(handler.baseFilename)
        for handler in MMLogger.get_current_instance().handlers
        if isinstance(handler, logging.FileHandler)
    ]
    folder = files[0].parent if files else Path()
    return str(folder / "submissions" / dataset)


def _to_numpy(values: Any) -> np.ndarray:
    """Convert a tensor on any device, or a sequence, to an array."""
    return values.cpu().numpy() if hasattr(values, "cpu") else np.asarray(values)
