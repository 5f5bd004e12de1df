"""What came out of a run, from the files of its last validation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmt_vis.evaluation import (
    APTable,
    PredictedTubes,
    class_rows,
    evaluate_tubes,
    load_annotations,
    read_results,
    without_nan,
)
from tmt_vis.evaluation.analysis import summarise_taxonomy
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord
from tmt_vis.taxonomy import LabelSpace

from .headroom import shown_only, weighted
from .probe import RANKS


def taxonomy_file(folder: Path, dataset: str) -> Path:
    """Say where a run keeps what TCM thought of the test videos.

    Args:
        folder: of the run.
        dataset: tested on.
    """
    return folder / f"{dataset}.taxonomy.json"


def evaluate_run(folder: Path, dataset: str, metric: Mapping) -> dict[str, Any]:
    """Evaluate the result file that the last validation wrote.

    Args:
        folder: of the run.
        dataset: tested on.
        metric: config of its metric.

    Returns:
        ``summary`` and ``categories`` of AP, ``shown_only`` (the summary without tracks
        of categories that their video does not show) and ``taxonomy``: what TCM knew,
        with ``weighted``, the summary of scores times TCM's; None without TCM.
    """
    space = LabelSpace.load(metric.get("label_space", dataset))
    annotations = load_annotations(metric["ann_file"], label_space=space)
    results = metric["outfile_prefix"] + ".results.json"
    predictions = read_results(results, annotations)

    def evaluate(predictions: Mapping[int, PredictedTubes]) -> APTable:
        truth = annotations.ground_truth
        return evaluate_tubes(truth, predictions, num_slots=len(space))

    table = evaluate(predictions)
    told = evaluate(shown_only(predictions, annotations)).summary()
    taxonomy = None
    if taxonomy_file(folder, dataset).is_file():
        record = TaxonomyRecord.load(taxonomy_file(folder, dataset))
        gated = evaluate(weighted(predictions, annotations, record)).summary()
        taxonomy = _compilation(record) | {"weighted": without_nan(gated)}
    rows = [row for row in class_rows(table, space.names) if row["num_objects"]]
    return {
        "summary": without_nan(table.summary()),
        "categories": [without_nan(row) for row in rows],
        "shown_only": without_nan(told),
        "taxonomy": taxonomy,
    }


def _compilation(record: TaxonomyRecord) -> dict[str, Any]:
    """Say what TCM knew of the test videos."""
    summary = summarise_taxonomy(record)
    curves = (summary.curve, summary.mean_curve, summary.frequency_curve)
    names = ("recall_at", "recall_at_of_mean_ranking", "recall_at_of_frequency_ranking")
    parts = {
        name: curve[: max(RANKS)].tolist()
        for name, curve in zip(names, curves, strict=True)
    }
    return without_nan(summary.numbers()) | parts
