"""What TCM knows while it learns: recall of its ranking on the clips of each batch."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from tmt_vis.models import CompiledTaxonomy

RANKS = (1, 3, 10)


@HOOKS.register_module()
class CompilationProbeHook(Hook):
    """Log ``recall@1``, ``@3`` and ``@10`` of TCM's scores in training.

    A clip is ranked before the step that learns from it, and a run sees each video a
    few times only: nearly as good as held-out clips, and free. Beside it
    ``recall_prior@N`` of a ranking that ignores the clip, by how often the dataset has
    shown each category so far. A model without TCM logs nothing.
    """

    def __init__(self) -> None:
        self._compiled: CompiledTaxonomy | None = None
        self._counts: dict[str, Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen to TCM."""
        guidance = runner.model.head.guidance
        if guidance is not None:
            guidance.tcm.register_forward_hook(self._listen)

    def _listen(self, module: torch.nn.Module, inputs: tuple, output) -> None:
        self._compiled = output

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log the recall of this batch, one number per clip with an object."""
        if self._compiled is None:
            return
        shown = self._shown(runner.model.head, data_batch["data_samples"])
        found: dict[str, list[float]] = defaultdict(list)
        spaces = [sample.label_space for sample in data_batch["data_samples"]]
        for row, (space, present) in enumerate(zip(spaces, shown, strict=True)):
            keep = self._compiled.class_keep[row].cpu()
            counts = self._counts.setdefault(space, torch.zeros(len(keep)))
            present &= keep
            if present.any():
                scores = self._compiled.score_logits[row].detach().cpu()
                for name, ranking in (("recall", scores), ("recall_prior", counts)):
                    order = ranking.masked_fill(~keep, -torch.inf).argsort(
                        descending=True, stable=True
                    )
                    for count in RANKS:
                        hits = present[order[:count]].sum() / present.sum()
                        found[f"{name}@{count}"].append(float(hits))
            counts += present
        for name, values in found.items():
            runner.message_hub.update_scalar(
                f"train/{name}", sum(values) / len(values), count=len(values)
            )

    @staticmethod
    def _shown(head: torch.nn.Module, samples: Sequence) -> Tensor:
        """Mark the categories, ``(B, K)``, that each clip shows."""
        shown = torch.zeros(len(samples), head.vocabulary.num_categories, dtype=bool)
        for row, sample in zip(shown, samples, strict=True):
            row[head.clip_targets(sample).labels.cpu()] = True
        return shown
