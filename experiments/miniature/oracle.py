"""TCM that is told the truth: the upper bound of what compilation can give."""

import json
from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from torch import Tensor

from tmt_vis.models import TMTVISHead
from tmt_vis.models.clip_features import ClipFeatures
from tmt_vis.models.taxonomy_compilation import CompiledTaxonomy
from tmt_vis.structures import ClipDataSample


@MODELS.register_module()
class OracleTMTVISHead(TMTVISHead):
    """Inject the categories that the clip shows and no other.

    Args:
        ann_files: dataset -> annotation file of its test videos.
        **kwargs: of :class:`TMTVISHead`.
    """

    def __init__(self, *, ann_files: Mapping[str, str], **kwargs) -> None:
        super().__init__(**kwargs)
        self._shown: Tensor | None = None
        self._test_videos = {n: _categories(f) for n, f in ann_files.items()}

    def loss(self, features: ClipFeatures, samples: Sequence[ClipDataSample]) -> dict:
        """Compute the losses; TCM may compile the categories of the ground truth."""
        self._shown = torch.stack(
            [self._union_keep(s.label_space, s.gt_instances.labels) for s in samples]
        )
        return super().loss(features, samples)

    def predict(
        self, features: ClipFeatures, samples: Sequence[ClipDataSample]
    ) -> list[ClipDataSample]:
        """Predict; TCM may compile the categories that the file annotates."""
        shown = []
        for sample in samples:
            space = self.vocabulary.taxonomy.label_spaces[sample.label_space]
            ids = self._test_videos[sample.dataset].get(sample.video_id, ())
            slots = [space.slot_of_source(i) for i in sorted(ids)]
            shown.append(self._union_keep(sample.label_space, torch.tensor(slots)))
        self._shown = torch.stack(shown)
        predicted = super().predict(features, samples)
        for sample in predicted:
            del sample.pred_taxonomy  # of what was told, not of what TCM knows
        return predicted

    def compile_taxonomy(
        self, features: ClipFeatures, label_spaces: Sequence[str]
    ) -> CompiledTaxonomy:
        """Run TCM on the categories that are shown."""
        mode = self.vocab_modes["train" if self.training else "test"]
        keep = self.vocabulary.text_keep(label_spaces, mode)
        shown = self._shown.to(keep.device) & keep
        # A clip that shows nothing with a text compiles as usual.
        keep = torch.where(shown.any(1, keepdim=True), shown, keep)
        return self.tcm(self.vocabulary.text_embeddings, features, keep)

    def _union_keep(self, label_space: str, slots: Tensor) -> Tensor:
        union_ids = self.vocabulary.slots_to_union(label_space).cpu()
        keep = torch.zeros(self.vocabulary.num_categories, dtype=torch.bool)
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
