"""The joint taxonomy inside the model: label spaces, maps and text embeddings."""

import json
from collections.abc import Sequence
from enum import Enum

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import build_text_embeddings
from tmt_vis.typedefs import ConfigType

# Rounding of embeddings stored in half precision stays below this.
_SAME_TEXT = 2e-3


class VocabularyMode(Enum):
    """Which categories TCM may compile for a sample (resolution A12)."""

    DATASET = "dataset"  # those of the sample's label space
    UNIFIED = "unified"  # those of the joint taxonomy


class CheckpointTaxonomyError(RuntimeError):
    """A checkpoint was trained with another joint taxonomy."""


class UnionVocabulary(nn.Module):
    """Buffers that tie ``slot`` and ``union_id`` together.

    The taxonomy itself is stored in the state dict (as bytes), so a checkpoint says
    which categories its rows mean and refuses to be loaded into another taxonomy.

    Args:
        taxonomy: the joint taxonomy.
        text_embeddings: ``(K, D)`` unit rows, zero where a category has no text; None
            for a model that never reads text.
    """

    def __init__(
        self, taxonomy: Taxonomy, text_embeddings: np.ndarray | None = None
    ) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.num_categories = taxonomy.num_categories
        has_text = torch.from_numpy(np.array(taxonomy.has_text, dtype=bool))
        self.register_buffer("has_text", has_text, persistent=False)
        vectors = None if text_embeddings is None else self._checked(text_embeddings)
        self.register_buffer("text_embeddings", vectors)
        described = json.dumps(taxonomy.to_dict(), sort_keys=True).encode()
        described = torch.frombuffer(bytearray(described), dtype=torch.uint8)
        self.register_buffer("taxonomy_json", described)
        for index, name in enumerate(taxonomy.label_spaces):
            ids = torch.from_numpy(np.array(taxonomy.slot_to_union(name)))
            self.register_buffer(f"_slots_{index}", ids, persistent=False)
            self.register_buffer(f"_keep_{index}", self._keep(ids), persistent=False)
        self._index = {name: i for i, name in enumerate(taxonomy.label_spaces)}

    @property
    def text_dim(self) -> int:
        """Width ``D`` of the text embeddings."""
        if self.text_embeddings is None:
            raise ValueError(
                "the model reads text but has no text embeddings; set "
                "head.text_embeddings in the config (see tools/text_embeddings.py)"
            )
        return self.text_embeddings.shape[1]

    def check_text(self) -> None:
        """Refuse label spaces from which TCM could compile nothing.

        Raises:
            ValueError: if a label space has only categories without text.
        """
        # From the taxonomy, not the buffers: those may be on the meta device.
        with_text = np.asarray(self.taxonomy.has_text)
        without_text = [
            name
            for name in self.taxonomy.label_spaces
            if not with_text[self.taxonomy.slot_to_union(name)].any()
        ]
        if without_text:
            raise ValueError(
                f"TCM needs at least one category with text in every label space, but "
                f"{without_text} have none; give a category a prompt and has_text=true"
            )

    def slots_to_union(self, label_space: str) -> Tensor:
        """Return the ``union_id`` of each slot of a label space."""
        return getattr(self, f"_slots_{self._position(label_space)}")

    def class_keep(self, label_spaces: Sequence[str]) -> Tensor:
        """Mark the categories that each sample's label space annotates.

        Returns:
            ``(B, K)`` bool.
        """
        rows = [getattr(self, f"_keep_{self._position(s)}") for s in label_spaces]
        return torch.stack(rows)

    def known_keep(self, label_space: str, known_slots: Sequence[int] | None) -> Tensor:
        """Mark the categories about which one sample says something.

        In federated data sets (BURST), a video is annotated for some categories and
        verified to be without some others; the rest of its label space may be there
        or not.

        Args:
            label_space: of the sample.
            known_slots: annotated or verified to be absent; None = all.

        Returns:
            ``(K,)`` bool, False for the unknown categories of the label space.
        """
        keep = torch.ones_like(self.has_text)
        if known_slots is not None:
            union_ids = self.slots_to_union(label_space)
            keep[union_ids] = False
            keep[union_ids[list(known_slots)]] = True
        return keep

    def near_matrix(self, label_space: str) -> Tensor:
        """Mark, for each slot, its own category and those pooled into it (A23).

        Categories that are slots of the label space themselves are not pooled: OVIS's
        "Bird" does not take the score of its "Parrot".

        Returns:
            ``(slots, K)`` bool.
        """
        pools = self.taxonomy.near_slots(label_space)
        matrix = torch.zeros(len(pools), self.num_categories, dtype=torch.bool)
        for row, union_ids in zip(matrix, pools, strict=True):
            row[list(union_ids)] = True
        return matrix.to(self.has_text.device)

    def text_keep(self, label_spaces: Sequence[str], mode: VocabularyMode) -> Tensor:
        """Mark the categories that TCM may compile for each sample.

        Categories without a text (UVO's "other") never take part (A22).

        Returns:
            ``(B, K)`` bool.
        """
        if mode is VocabularyMode.UNIFIED:
            return self.has_text.expand(len(label_spaces), -1)
        return self.class_keep(label_spaces) & self.has_text

    def _position(self, label_space: str) -> int:
        if label_space not in self._index:
            raise KeyError(
                f"label space {label_space!r} is not part of the model's taxonomy "
                f"{list(self._index)}; add it to head.taxonomy.label_spaces"
            )
        return self._index[label_space]

    def _keep(self, union_ids: Tensor) -> Tensor:
        keep = torch.zeros(self.num_categories, dtype=torch.bool)
        keep[union_ids] = True
        return keep

    def _checked(self, vectors: np.ndarray) -> Tensor:
        if vectors.ndim != 2 or len(vectors) != self.num_categories:
            raise ValueError(
                f"text embeddings must be (K={self.num_categories}, D), got "
                f"{vectors.shape}; make them for this taxonomy with "
                "tools/text_embeddings.py"
            )
        return torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: object
    ) -> None:
        self._check_taxonomy(state_dict.get(f"{prefix}taxonomy_json"))
        self._keep_own_text(state_dict, f"{prefix}text_embeddings")
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _check_taxonomy(self, stored: Tensor | None) -> None:
        if stored is None:
            return
        theirs = Taxonomy.from_dict(json.loads(bytes(stored.cpu().tolist())))
        if theirs.fingerprint == self.taxonomy.fingerprint:
            return
        raise CheckpointTaxonomyError(
            f"the checkpoint was trained on label spaces {list(theirs.label_spaces)} "
            f"with {theirs.num_categories} categories, the config asks for "
            f"{list(self.taxonomy.label_spaces)} with {self.num_categories}; use the "
            "label spaces of the checkpoint in head.taxonomy"
            f"{_first_difference(theirs.names, self.taxonomy.names)}"
        )

    def _keep_own_text(self, state_dict: dict, key: str) -> None:
        """Let the embeddings of the config win, but never silently."""
        stored, ours = state_dict.pop(key, None), self.text_embeddings
        if ours is None:
            return
        state_dict[key] = ours
        if stored is None:
            return
        if stored.shape != ours.shape:
            raise CheckpointTaxonomyError(
                f"the checkpoint holds text embeddings of shape {tuple(stored.shape)}, "
                f"the config makes {tuple(ours.shape)}; use the text encoder of the "
                "checkpoint in head.text_embeddings"
            )
        gap = (stored.to(ours) - ours).abs().max().item()
        if gap > _SAME_TEXT:
            MMLogger.get_current_instance().warning(
                "the text embeddings of the config differ from those the checkpoint "
                f"was trained with (largest difference {gap:.3g}); those of the config "
                "are used"
            )


def _first_difference(theirs: Sequence[str], ours: Sequence[str]) -> str:
    for union_id, (a, b) in enumerate(zip(theirs, ours, strict=False)):
        if a != b:
            return f" (first difference: union_id {union_id}: {a!r} there, {b!r} here)"
    return ""


def build_vocabulary(
    taxonomy: ConfigType, text_embeddings: ConfigType | None
) -> UnionVocabulary:
    """Build the vocabulary of a head.

    Args:
        taxonomy: ``dict(label_spaces=[...])``, names or files, in the order of the
            joint taxonomy.
        text_embeddings: arguments of ``build_text_embeddings``; None for a model that
            reads no text.
    """
    union = Taxonomy.from_label_spaces(taxonomy["label_spaces"])
    if text_embeddings is None:
        return UnionVocabulary(union)
    return UnionVocabulary(union, build_text_embeddings(text_embeddings, union))
