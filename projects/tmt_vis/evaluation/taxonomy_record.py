"""Which categories the model compiled for each video, beside what the videos show."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis.files import replacing

from .ground_truth import AnnotationFile

_FORMAT = "tmt_vis taxonomy record 1"


@dataclass(frozen=True, eq=False)
class CategoryRanking:
    """How the categories of a label space were ranked for one video.

    Args:
        ranks: (K,) int64, 0 = best; -1 = cannot be compiled (no text).
        scores: (K,) float64 in [0, 1].
        compiled: (K,) bool, the category is one of the N_T.
        num_compiled: How many were compiled; with a unified vocabulary, some of them
            may be of other label spaces.
    """

    ranks: np.ndarray
    scores: np.ndarray
    compiled: np.ndarray
    num_compiled: int

    @classmethod
    def from_sample(cls, taxonomy: Mapping[str, Any]) -> "CategoryRanking":
        """Read ``pred_taxonomy`` of a sample (a dict of tensors)."""
        return cls(
            ranks=np.asarray(taxonomy["slot_ranks"], dtype=np.int64),
            scores=np.asarray(taxonomy["slot_scores"], dtype=np.float64),
            compiled=np.asarray(taxonomy["slot_compiled"], dtype=bool),
            num_compiled=len(taxonomy["union_ids"]),
        )


@dataclass(frozen=True, eq=False)
class TaxonomyRecord:
    """The rankings of V videos over the K categories of their dataset.

    Args:
        dataset: Name of the dataset in the mixture.
        categories: K names, in slot order.
        videos: V names.
        ranks: (V, K) int64, see :class:`CategoryRanking`.
        scores: (V, K) float64.
        compiled: (V, K) bool.
        num_compiled: (V,) int64.
        present: (V, K) bool, the video shows the category (crowds do not count); None
            if the annotations are withheld.
    """

    dataset: str
    categories: tuple[str, ...]
    videos: tuple[str, ...]
    ranks: np.ndarray
    scores: np.ndarray
    compiled: np.ndarray
    num_compiled: np.ndarray
    present: np.ndarray | None

    @classmethod
    def collect(
        cls,
        rankings: Mapping[int, CategoryRanking],
        annotations: AnnotationFile,
        *,
        dataset: str,
    ) -> "TaxonomyRecord":
        """Put the rankings of videos beside their annotations.

        Args:
            rankings: By video id; at least one.
            annotations: The file of the videos.
            dataset: Name of the dataset.
        """
        ids = sorted(rankings)
        return cls(
            dataset=dataset,
            categories=annotations.label_space.names,
            videos=tuple(annotations.videos[i].name for i in ids),
            ranks=np.stack([rankings[i].ranks for i in ids]),
            scores=np.stack([rankings[i].scores for i in ids]),
            compiled=np.stack([rankings[i].compiled for i in ids]),
            num_compiled=np.array([rankings[i].num_compiled for i in ids]),
            present=_present(ids, annotations),
        )

    def recall(self, num: int | None = None) -> float:
        """Measure how much of what the videos show is among the best categories.

        Args:
            num: Categories per video that count; None means those that were compiled.

        Returns:
            Share of the (video, category) pairs of the ground truth whose category has
            a rank below ``num``. Categories without a text, which cannot be compiled,
            are left out. NaN without any pair, or without annotations.
        """
        if self.present is None:
            return float("nan")
        pairs = self.present & (self.ranks >= 0)
        found = pairs & (self.compiled if num is None else self.ranks < num)
        return float(found.sum() / pairs.sum()) if pairs.any() else float("nan")

    def __len__(self) -> int:
        return len(self.videos)

    def save(self, path: str | Path) -> None:
        """Write the record as JSON."""
        state = {
            "format": _FORMAT,
            "dataset": self.dataset,
            "categories": list(self.categories),
            "videos": list(self.videos),
            "num_compiled": self.num_compiled.tolist(),
            "compiled": _positions(self.compiled),
            "ranks": self.ranks.tolist(),
            "scores": [
                [float(f"{s:.6g}") for s in row] for row in self.scores.tolist()
            ],
            "present": None if self.present is None else _positions(self.present),
        }
        with replacing(path) as draft:
            draft.write_text(json.dumps(state) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "TaxonomyRecord":
        """Read a record.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is no record.
        """
        try:
            state = json.loads(Path(path).read_text(encoding="utf-8"))
            if state["format"] != _FORMAT:
                raise KeyError(f"format {state['format']!r}")
            return cls._from_state(state)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(
                f"{path} is no taxonomy record ({error}); VISMetric(taxonomy_file=...) "
                "and tools/analysis/taxonomy_report.py write them"
            ) from error

    @classmethod
    def _from_state(cls, state: Mapping[str, Any]) -> "TaxonomyRecord":
        ranks = np.array(state["ranks"], dtype=np.int64)
        expected = (len(state["videos"]), len(state["categories"]))
        if ranks.shape != expected or not ranks.size:
            raise ValueError(f"ranks of shape {ranks.shape}, not {expected}")
        present = state["present"]
        return cls(
            dataset=state["dataset"],
            categories=tuple(state["categories"]),
            videos=tuple(state["videos"]),
            ranks=ranks,
            scores=np.array(state["scores"], dtype=np.float64).reshape(ranks.shape),
            compiled=_matrix(state["compiled"], ranks.shape),
            num_compiled=np.array(state["num_compiled"], dtype=np.int64),
            present=None if present is None else _matrix(present, ranks.shape),
        )


def _present(ids: Sequence[int], annotations: AnnotationFile) -> np.ndarray | None:
    if annotations.ground_truth is None:
        return None
    present = np.zeros((len(ids), len(annotations.label_space)), dtype=bool)
    for row, video_id in zip(present, ids, strict=True):
        truth = annotations.ground_truth[video_id]
        row[truth.slots[~truth.is_crowd]] = True
    return present


def _positions(matrix: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in matrix]


def _matrix(positions: Sequence[Sequence[int]], shape: tuple[int, int]) -> np.ndarray:
    matrix = np.zeros(shape, dtype=bool)
    for row, columns in zip(matrix, positions, strict=True):
        row[list(columns)] = True
    return matrix
