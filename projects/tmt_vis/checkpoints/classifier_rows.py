"""From the rows of one classifier to those of another, by category name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tmt_vis.taxonomy import LabelSpace, Taxonomy, TaxonomyError, bundled_names

from .errors import ClassifierRowsError

# Mask2Former for COCO panoptic: the 80 things, then 53 kinds of stuff (sky, wall, ...),
# in detectron2 as in mmdet. No video label space has stuff.
_COCO_PANOPTIC = 133
_COCO_THINGS = 80
_RARE = -math.log(99)  # the logit of 1 %


@dataclass(frozen=True)
class RowMeanings:
    """What the rows of a classifier stand for, without "no object".

    Args:
        label_space: The label space they were trained in.
        slots: Slot of each row; -1 for a row that is no category of it.
    """

    label_space: LabelSpace
    slots: tuple[int, ...]


@dataclass(frozen=True)
class RowReport:
    """What became of the rows.

    Args:
        label_space: Name of the label space of the source.
        copied: Union name and source name of each row that was taken over.
        missing: Union names without a row: these start from random numbers.
        unused: Source names (or row numbers) that the union does not have.
    """

    label_space: str
    copied: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def find_meanings(
    num_rows: int, *, classes: Sequence[str] = (), label_space: str | None = None
) -> RowMeanings:
    """Find out what the rows of a classifier mean.

    Args:
        num_rows: Rows without "no object".
        classes: Category names in the order of the rows, if the file holds them.
        label_space: Name or file of a label space, if the user gave one.

    Returns:
        The meaning of each row.

    Raises:
        ClassifierRowsError: If nobody says it and the number does not tell.
    """
    if label_space is not None:
        return _in_slot_order(LabelSpace.load(label_space), num_rows)
    if classes:
        return _by_names(classes, num_rows)
    spaces = [LabelSpace.load(name) for name in bundled_names()]
    fitting = [space for space in spaces if _fits(space, num_rows)]
    if len(fitting) != 1:
        found = " or ".join(space.name for space in fitting) or "no bundled label space"
        raise ClassifierRowsError(
            f"the classifier has {num_rows} categories, which is {found}, and the file "
            "does not say which; give --source-labels NAME or FILE"
        )
    return _in_slot_order(fitting[0], num_rows)


def _fits(space: LabelSpace, num_rows: int) -> bool:
    panoptic = len(space) == _COCO_THINGS and num_rows == _COCO_PANOPTIC
    return num_rows == len(space) or (panoptic and space.name == "coco")


def _in_slot_order(space: LabelSpace, num_rows: int) -> RowMeanings:
    if not _fits(space, num_rows):
        raise ClassifierRowsError(
            f"label space {space.name!r} has {len(space)} categories, the classifier "
            f"has {num_rows}; give the label space the checkpoint was trained in"
        )
    slots = range(len(space))
    return RowMeanings(space, (*slots, *[-1] * (num_rows - len(space))))


def _by_names(classes: Sequence[str], num_rows: int) -> RowMeanings:
    if len(classes) != num_rows:
        raise ClassifierRowsError(
            f"the file names {len(classes)} categories, its classifier has {num_rows}"
        )
    for name in bundled_names():
        space = LabelSpace.load(name)
        slots = tuple(_slot(space, category) for category in classes)
        if set(range(len(space))) <= set(slots) and _fits(space, num_rows):
            return RowMeanings(space, slots)
    raise ClassifierRowsError(
        f"the categories of the file ({', '.join(classes[:4])}, ...) are those of no "
        f"bundled label space ({', '.join(bundled_names())}); give --source-labels FILE"
    )


def _slot(space: LabelSpace, name: str) -> int:
    try:
        return space.slot_of_name(name)
    except TaxonomyError:
        return -1


def remap_rows(
    weight: Tensor,
    bias: Tensor,
    source: RowMeanings,
    target: Taxonomy,
    *,
    no_object: bool = True,
) -> tuple[Tensor, Tensor, RowReport]:
    """Give every category of a joint taxonomy its row.

    A category of the source and one of the target are the same if their label spaces
    link them as ``same`` (sedan and car, for example). A category that the source does
    not have gets what a new classifier would have, U(-1/sqrt(C), 1/sqrt(C)), always the
    same numbers; without "no object" its bias is that of a probability of 1 %.

    Args:
        weight: (R + 1, C); the last row is "no object".
        bias: (R + 1,).
        source: What the first R rows mean.
        target: The joint taxonomy with K categories.
        no_object: False for classifiers with one sigmoid per category, which have no
            last row of that kind, before and after.

    Returns:
        Weight (K + 1, C), bias (K + 1,), and what was done.
    """
    rows = _source_rows(source, target)
    rows = np.append(rows, len(weight) - 1) if no_object else rows
    bound = 1 / math.sqrt(weight.shape[1])
    generator = torch.Generator().manual_seed(0)
    fresh = torch.empty(len(rows), weight.shape[1] + 1)
    fresh.uniform_(-bound, bound, generator=generator)
    if not no_object:
        fresh[:, -1] = _RARE
    new_weight, new_bias = fresh[:, :-1].to(weight), fresh[:, -1].to(bias)
    known = torch.from_numpy(rows >= 0)
    taken = torch.from_numpy(rows)[known]
    new_weight[known], new_bias[known] = weight[taken], bias[taken]
    report = _report(rows[: target.num_categories], source, target)
    return new_weight.contiguous(), new_bias.contiguous(), report


def _source_rows(source: RowMeanings, target: Taxonomy) -> np.ndarray:
    """Return the source row of each union id, (K,) int64, -1 = none."""
    space = source.label_space
    spaces = dict(target.label_spaces)
    spaces.setdefault(space.name, space)
    # Links are closed over all label spaces, so the source's have to take part.
    both = Taxonomy.from_label_spaces(list(spaces.values()))
    slots = both.union_to_slot(space.name)
    row_of_slot = {slot: row for row, slot in enumerate(source.slots) if slot >= 0}
    rows = np.full(target.num_categories, -1, dtype=np.int64)
    for name in target.label_spaces:
        pairs = zip(target.slot_to_union(name), both.slot_to_union(name), strict=True)
        for ours, joint in pairs:
            if slots[joint] >= 0:
                rows[ours] = row_of_slot[int(slots[joint])]
    return rows


def _report(rows: np.ndarray, source: RowMeanings, target: Taxonomy) -> RowReport:
    names = [
        source.label_space.names[slot] if slot >= 0 else f"row {row} (not a thing)"
        for row, slot in enumerate(source.slots)
    ]
    by_union = list(zip(target.names, rows.tolist(), strict=True))
    used = set(rows.tolist())
    return RowReport(
        label_space=source.label_space.name,
        copied=tuple((name, names[row]) for name, row in by_union if row >= 0),
        missing=tuple(name for name, row in by_union if row < 0),
        unused=tuple(name for row, name in enumerate(names) if row not in used),
    )
