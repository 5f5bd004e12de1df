"""Several datasets in one validation run, each by its own metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.registry import EVALUATOR, METRICS
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.structures import BaseDataElement

from .tube_metric import TubeMetric


@EVALUATOR.register_module()
class MultiDatasetVISEvaluator(Evaluator):
    """Send each video to the metrics of its dataset and merge what they report.

    The result holds every ``DATASET/NAME`` and ``mean/AP``, the mean AP over the
    datasets. For the best checkpoint: ``CheckpointHook(save_best='ytvis19/AP',
    rule='greater')``; mmengine cannot guess the rule of this name.

    Args:
        metrics: Dataset name -> config or instance of a metric, or a list of them.
            Configs of ``VISMetric`` and other :class:`TubeMetric` may leave ``dataset``
            out.

    Raises:
        TypeError: If ``metrics`` is not a mapping.
        ValueError: If it is empty or a :class:`TubeMetric` is of another dataset than
            its key says.
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        if not isinstance(metrics, Mapping) or "type" in metrics:
            raise TypeError(
                "metrics must map dataset names to metrics, e.g. dict(ytvis19=dict("
                f"type='VISMetric', ...)), got {metrics!r:.200}"
            )
        # A child config takes a dataset out with None.
        metrics = {name: cfg for name, cfg in metrics.items() if cfg is not None}
        if not metrics:
            raise ValueError("metrics must name at least one dataset")
        self.routes = {name: _build_metrics(name, cfg) for name, cfg in metrics.items()}
        self._num_routed = dict.fromkeys(self.routes, 0)
        super().__init__([metric for route in self.routes.values() for metric in route])

    def process(
        self,
        data_samples: Sequence[BaseDataElement | dict],
        data_batch: Any | None = None,
    ) -> None:
        """Route the predictions of one batch.

        Args:
            data_samples: Videos, each with a ``dataset`` tag.
            data_batch: Handed on if the whole batch is of one dataset, else withheld,
                because it would not line up with the routed samples.

        Raises:
            KeyError: If a tag is missing or names no metric.
        """
        batches: dict[str, list[dict]] = {}
        for sample in data_samples:
            fields = sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            batches.setdefault(self._dataset_of(fields), []).append(fields)
        for name, samples in batches.items():
            self._num_routed[name] += len(samples)
            for metric in self.routes[name]:
                metric.process(data_batch if len(batches) == 1 else None, samples)

    def _dataset_of(self, fields: Mapping[str, Any]) -> str:
        name = fields.get("dataset")
        if name not in self.routes:
            raise KeyError(
                f"video {fields.get('video_id')} is tagged dataset={name!r} but there "
                f"are metrics for {sorted(self.routes)} only; add that dataset to "
                "val_evaluator.metrics or take it out of the loader"
            )
        return name

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute all metrics.

        Args:
            size: Not used; it counts the videos of all datasets together.

        Returns:
            The merged metrics and ``mean/AP``, the same on every rank.

        Raises:
            ValueError: If two metrics report the same name, or a metric that is no
                :class:`TubeMetric` gets different numbers of videos on different ranks.
        """
        per_rank = all_gather_object(self._num_routed)
        self._num_routed = dict.fromkeys(self.routes, 0)
        merged: dict[str, float] = {}
        for name, route in self.routes.items():
            counts = [rank[name] for rank in per_rank]
            for metric in route:
                for key, value in _evaluate(metric, name, counts).items():
                    if key in merged:
                        raise ValueError(
                            f"two metrics report {key!r}; give them different prefixes"
                        )
                    merged[key] = value
        aps = [merged[f"{n}/AP"] for n in self.routes if f"{n}/AP" in merged]
        measured = [ap for ap in aps if not np.isnan(ap)]
        if aps:
            merged["mean/AP"] = float(np.mean(measured)) if measured else float("nan")
        return merged


def _build_metrics(name: str, cfg: Any) -> list[BaseMetric]:
    """Build the metrics of one dataset."""
    entries = cfg if isinstance(cfg, Sequence) else [cfg]
    metrics = []
    for entry in entries:
        if isinstance(entry, Mapping):
            is_ours = issubclass(_metric_class(entry.get("type")), TubeMetric)
            entry = METRICS.build({"dataset": name, **entry} if is_ours else entry)
        if isinstance(entry, TubeMetric) and entry.dataset != name:
            raise ValueError(
                f"metrics[{name!r}] is a {type(entry).__name__} of dataset "
                f"{entry.dataset!r}; the key must be the dataset's name in the mixture"
            )
        metrics.append(entry)
    return metrics


def _metric_class(kind: str | type | None) -> type:
    """Find the class that a config names."""
    found = kind if isinstance(kind, type) else METRICS.get(str(kind))
    return found if isinstance(found, type) else BaseMetric


def _evaluate(metric: BaseMetric, name: str, counts: Sequence[int]) -> dict[str, float]:
    """Evaluate one metric whose dataset had ``counts`` videos on the ranks."""
    if not isinstance(metric, TubeMetric) and len(set(counts)) > 1:
        # mmengine's collect_results would silently drop what the shortest rank lacks.
        raise ValueError(
            f"{type(metric).__name__} of {name!r} cannot gather {list(counts)} videos "
            "from the ranks; run it in one process"
        )
    return metric.evaluate(sum(counts))
