"""A foreign checkpoint becomes one of ours."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

import tmt_vis
from tmt_vis.taxonomy import Taxonomy

from .architectures import LAYOUTS, Layout, find_layout, modernised
from .classifier_rows import RowMeanings, RowReport, find_meanings, remap_rows
from .reading import SourceCheckpoint

# Where the head keeps its joint taxonomy, so that a checkpoint knows its categories.
_TAXONOMY = "head.vocabulary.taxonomy_json"
# Categories of the published models: COCO instance and panoptic; OVIS, YouTube-VIS.
_IMAGE_ROWS, _VIDEO_ROWS = (80, 133), (25, 40)


@dataclass(frozen=True)
class Conversion:
    """A converted checkpoint.

    Args:
        state_dict: Weights by our names.
        meta: Where they come from; plain data.
        ignored: Source names that were left out on purpose.
        rows: What became of the classifier; None if it was copied as it is.
    """

    state_dict: dict[str, Tensor]
    meta: dict[str, Any]
    ignored: tuple[str, ...]
    rows: RowReport | None


def convert(
    source: SourceCheckpoint,
    *,
    arch: str = "auto",
    label_spaces: Sequence[str] | None = None,
    source_labels: str | None = None,
    ignore: Sequence[str] = (),
) -> Conversion:
    """Rename, reorder and remap the weights of a checkpoint.

    Args:
        source: What the file holds.
        arch: One of ``LAYOUTS``, or ``auto``.
        label_spaces: Those of the model that will load the result, in its order. None
            copies the classifier as it is, unless ``source_labels`` is given, which
            then stands for both.
        source_labels: Label space of the classifier, where neither the file nor the
            number of its rows tells.
        ignore: Patterns of further source names to leave out.

    Returns:
        The result.

    Raises:
        CheckpointError: If the file is of another architecture, incomplete, or its
            categories are unknown.
        TaxonomyError: If a label space is.
    """
    layout = find_layout(list(source.weights), arch)
    weights = modernised(layout, source.weights)
    patterns = [*layout.ignored, *ignore]
    ignored = tuple(k for k in weights if any(re.fullmatch(p, k) for p in patterns))
    used = {key: value for key, value in weights.items() if key not in ignored}
    state = layout.key_map(used).apply(used)
    if label_spaces is None and source_labels is not None:
        label_spaces = [source_labels]
    classifiers = [k for k in state if re.fullmatch(rf"{layout.classifier}\.bias", k)]
    num_rows = len(state[classifiers[0]]) - layout.no_object - 2 * layout.spare
    meta = _provenance(source, _names(layout, arch, num_rows))
    rows = None
    if label_spaces is not None:
        meanings = find_meanings(
            num_rows, classes=source.classes, label_space=source_labels
        )
        taxonomy = Taxonomy.from_label_spaces(label_spaces)
        state, rows = _remapped(state, classifiers, meanings, taxonomy, layout=layout)
        meta |= dict(label_spaces=list(taxonomy.label_spaces), classifier=asdict(rows))
    return Conversion(state, meta, ignored, rows)


def _remapped(
    state: Mapping[str, Tensor],
    biases: Sequence[str],
    meanings: RowMeanings,
    taxonomy: Taxonomy,
    *,
    layout: Layout,
) -> tuple[dict[str, Tensor], RowReport]:
    remapped = dict(state)
    for name in biases:
        weight = f"{name.removesuffix('bias')}weight"
        first, last = layout.spare, len(state[name]) - layout.spare
        *parts, rows = remap_rows(
            state[weight][first:last],
            state[name][first:last],
            meanings,
            taxonomy,
            no_object=layout.no_object,
        )
        for key, part in zip((weight, name), parts, strict=True):
            whole = state[key]
            remapped[key] = torch.cat([whole[:first], part, whole[last:]])
    described = json.dumps(taxonomy.to_dict(), sort_keys=True).encode()
    remapped[_TAXONOMY] = torch.frombuffer(bytearray(described), dtype=torch.uint8)
    return remapped, rows


def _names(layout: Layout, arch: str, num_rows: int) -> list[str]:
    """List the architectures the file may be; categories tell images from videos."""
    if arch != "auto":
        return [arch]
    names = [name for name, other in LAYOUTS.items() if other is layout]
    images = [name for name in names if name.endswith("mask2former")]
    if len(names) > 1 and num_rows in _IMAGE_ROWS:
        return images
    if len(names) > 1 and num_rows in _VIDEO_ROWS:
        return [name for name in names if name not in images]
    return names


def _provenance(source: SourceCheckpoint, architectures: list[str]) -> dict[str, Any]:
    return dict(
        tool="convert_checkpoint",
        tmt_vis_version=tmt_vis.__version__,
        source=dict(
            file=source.file_name,
            sha256=source.sha256,
            architecture=" or ".join(architectures),
        ),
    )
