"""Several VIS datasets as one, each sample tagged with where it comes from."""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from mmdet.registry import DATASETS
from torch.utils.data import Dataset

from .clip_index import ClipIndex
from .vis_dataset import VISDataset


@DATASETS.register_module()
class MultiDatasetVideoDataset(Dataset):
    """A mixture of datasets with their own label spaces.

    Nothing is renumbered here: a sample keeps the slots of its own label space and says
    which one that is. How often each dataset is drawn is the sampler's business.

    Args:
        datasets: Config (or instance) of each VISDataset by its name in the mixture.
    """

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        # A child config takes a dataset out with None.
        datasets = {name: cfg for name, cfg in datasets.items() if cfg is not None}
        if not datasets:
            raise ValueError("datasets must hold at least one dataset, got none")
        self.datasets = [_build(name, cfg) for name, cfg in datasets.items()]
        self.names = tuple(datasets)
        _check_label_spaces(self.datasets)
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))

    @property
    def sizes(self) -> dict[str, int]:
        """Number of sampled videos by dataset name."""
        return {dataset.name: len(dataset) for dataset in self.datasets}

    @property
    def metainfo(self) -> dict[str, Any]:
        """Plain facts of the mixture, safe to store in a checkpoint.

        Returns:
            ``datasets``: label-space name by dataset name; ``label_spaces``: names and
            source ids by label-space name; ``classes``: the names of all label spaces
            one after the other, for mmdet components that want a flat list.
        """
        spaces = {d.label_space.name: d.label_space for d in self.datasets}
        return dict(
            datasets={d.name: d.label_space.name for d in self.datasets},
            label_spaces={
                name: dict(
                    classes=tuple(space.names),
                    source_ids=tuple(int(i) for i in space.source_ids),
                )
                for name, space in spaces.items()
            },
            classes=tuple(n for space in spaces.values() for n in space.names),
        )

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int | ClipIndex) -> dict[str, Any]:
        """Return one packed clip or video.

        Args:
            index: A ClipIndex, or a flat position over the datasets in order.
        """
        if isinstance(index, ClipIndex):
            return self.datasets[index.dataset][index]
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of a mixture of {len(self)} videos")
        dataset = bisect_right(self._ends, index)
        start = self._ends[dataset - 1] if dataset else 0
        return self.datasets[dataset][index - start]


def _build(name: str, cfg: Any) -> VISDataset:
    if not isinstance(cfg, Mapping):
        dataset = cfg
    else:
        if cfg.get("name", name) != name:
            raise ValueError(
                f"the mixture calls this dataset {name!r}, its config {cfg['name']!r}; "
                "remove `name` from the config"
            )
        dataset = DATASETS.build(dict(cfg, name=name))
    if dataset.name != name:
        raise ValueError(
            f"the mixture calls this dataset {name!r}, it calls itself {dataset.name!r}"
        )
    return dataset


def _check_label_spaces(datasets: list[VISDataset]) -> None:
    by_name: dict[str, VISDataset] = {}
    for dataset in datasets:
        other = by_name.setdefault(dataset.label_space.name, dataset)
        if list(other.label_space.names) != list(dataset.label_space.names):
            raise ValueError(
                f"datasets {other.name!r} and {dataset.name!r} use two different label "
                f"spaces of the same name {dataset.label_space.name!r}; rename one"
            )
