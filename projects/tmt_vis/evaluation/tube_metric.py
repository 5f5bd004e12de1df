"""A metric over whole videos that several processes predict."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric

from tmt_vis.taxonomy import LabelSpace


class TubeMetric(BaseMetric):
    """Base of the metrics of one dataset: check, gather from all processes, compute.

    A sub-class says what it keeps of a video (:meth:`collect`) and what follows from
    all of them (:meth:`compute`, on the main process only). A video that comes several
    times, because the sampler pads the last batch, counts once.

    Args:
        dataset: Name of the dataset in the mixture; prefix of the metric names.
        label_space: Bundled name or file of its label space; None means ``dataset``.
    """

    def __init__(self, *, dataset: str, label_space: str | None = None) -> None:
        super().__init__(prefix=dataset)
        self.dataset = dataset
        self.label_space = LabelSpace.load(label_space or dataset)

    @abstractmethod
    def collect(self, sample: dict[str, Any]) -> Any:
        """Return what is kept of a video, small enough to be sent to another process.

        Args:
            sample: ``ClipDataSample.to_dict()``.
        """

    @abstractmethod
    def compute(self, videos: dict[int, Any]) -> dict[str, float]:
        """Compute the metrics.

        Args:
            videos: What was collected of each video id.

        Returns:
            Metrics without prefix.
        """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect some videos.

        Args:
            data_batch: Not used.
            data_samples: ``ClipDataSample.to_dict()`` of each video.

        Raises:
            ValueError: If a sample is of another dataset or label space, or was not
                predicted.
        """
        for sample in data_samples:
            self._check_sample(sample)
            self.results.append((int(sample["video_id"]), self.collect(sample)))

    def _check_sample(self, sample: dict) -> None:
        name = type(self).__name__
        expected = {"dataset": self.dataset, "label_space": self.label_space.name}
        for key, value in expected.items():
            if sample.get(key, value) != value:
                raise ValueError(
                    f"{name} of {key} {value!r} got a video of {sample[key]!r}; use "
                    "MultiDatasetVISEvaluator to evaluate several datasets in one run"
                )
        if "pred_tracks" not in sample:
            raise ValueError(
                f"video {sample.get('video_id')} of {self.dataset!r} has no pred_tracks"
                f", only {sorted(sample)}; the model must run in mode 'predict'"
            )

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the videos of all processes and compute the metrics.

        Args:
            size: Not used: duplicates are recognised by their video id, not by count.

        Returns:
            The same metrics on every process.
        """
        # mmengine's collect_results interleaves with zip and so cuts every rank to the
        # shortest one; ranks hold different counts once samples are routed by dataset.
        gathered = [item for rank in all_gather_object(self.results) for item in rank]
        self.results.clear()
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                outcome = [self.compute_metrics(gathered)]
            except Exception as error:  # the other ranks wait for the broadcast
                outcome = [error]
        broadcast_object_list(outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return {f"{self.prefix}/{name}": value for name, value in outcome[0].items()}

    def compute_metrics(self, results: list[tuple[int, Any]]) -> dict[str, float]:
        """Compute the metrics of what was collected, possibly repeated.

        Args:
            results: Video id and what was collected, of all processes.
        """
        videos: dict[int, Any] = {}
        for video_id, collected in results:
            videos.setdefault(video_id, collected)
        return self.compute(videos)
