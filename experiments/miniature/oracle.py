"""TCM that is told the truth: the upper bound of what compilation can give."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.models import CompiledTaxonomy, TaxonomyGuidance, UnionVocabulary
from tmt_vis.structures import ClipDataSample


@MODELS.register_module()
class OracleGuidance(TaxonomyGuidance):
    """Inject the categories that the clip shows and no other.

    They are those of the ground truth in training, and those that the annotation file
    names for the video at test.

    Args:
        ann_files: dataset -> annotation file of its test videos.
        **kwargs: of :class:`TaxonomyGuidance`.
    """

    def __init__(self, *, ann_files: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._test_videos = {n: _categories(f) for n, f in ann_files.items()}

    def text_keep(
        self,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary,
        samples: Sequence[ClipDataSample] | None,
    ) -> Tensor:
        """Mark the categories that are shown; a clip without any compiles as usual."""
        keep = super().text_keep(label_spaces, vocabulary, samples)
        rows = [self._shown(sample, vocabulary) for sample in samples]
        shown = torch.stack(rows).to(keep.device) & keep
        return torch.where(shown.any(1, keepdim=True), shown, keep)

    def report(
        self, compiled: CompiledTaxonomy, label_space: str, vocabulary: UnionVocabulary
    ) -> InstanceData | None:
        """Report nothing: it was told, and says nothing of what TCM knows."""
        return None

    def _shown(self, sample: ClipDataSample, vocabulary: UnionVocabulary) -> Tensor:
        if self.training:
            slots = sample.gt_instances.labels
        else:
            space = vocabulary.taxonomy.label_spaces[sample.label_space]
            ids = self._test_videos[sample.dataset].get(sample.video_id, ())
            slots = torch.tensor([space.slot_of_source(i) for i in sorted(ids)])
        union_ids = vocabulary.slots_to_union(sample.label_space).cpu()
        keep = torch.zeros(vocabulary.num_categories, dtype=torch.bool)
        keep[union_ids[slots.long().cpu()]] = True
        return keep


def _categories(ann_file: str) -> dict[int, set[int]]:
    """Map the videos of an annotation file to their categories' source ids."""
    with open(ann_file, encoding="utf-8") as file:
        annotations = json.load(file)["annotations"]
    videos: dict[int, set[int]] = {}
    for annotation in annotations:
        videos.setdefault(annotation["video_id"], set()).add(annotation["category_id"])
    return videos
