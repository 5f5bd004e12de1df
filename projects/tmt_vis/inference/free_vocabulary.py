"""Predict categories that are given by name, when the video is at hand."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

from tmt_vis.models import UnionVocabulary, VideoHead
from tmt_vis.taxonomy import Category, LabelSpace, Taxonomy
from tmt_vis.text import TextEmbeddingError, build_text_embeddings

from .errors import InferenceError

VOCABULARY_NAME = "vocabulary"
VocabularyInput: TypeAlias = str | PathLike[str] | Sequence[str] | LabelSpace


def parse_vocabulary(vocabulary: VocabularyInput) -> LabelSpace:
    """Turn words into a label space.

    Args:
        vocabulary: ``'dog, person, red bus'``, a list of names, the path of a label
            space file (``*.json``, which may carry prompts), or a label space.

    Returns:
        A label space whose source ids count from 1 in the order of the words.

    Raises:
        InferenceError: If there is no word.
        TaxonomyError: If two words are the same name, or the file breaks a rule.
    """
    if isinstance(vocabulary, LabelSpace):
        return vocabulary
    if isinstance(vocabulary, PathLike) or str(vocabulary).endswith(".json"):
        return LabelSpace.load(vocabulary)
    words = vocabulary.split(",") if isinstance(vocabulary, str) else vocabulary
    names = [" ".join(word.split()) for word in words]
    if not names or not all(names):
        raise InferenceError(
            "a vocabulary must be names separated by commas, such as 'dog,person,red "
            f"bus', got {vocabulary!r}"
        )
    return LabelSpace(
        name=VOCABULARY_NAME,
        title="Categories given by name",
        categories=tuple(Category(i, name) for i, name in enumerate(names, 1)),
        origin=f"{VOCABULARY_NAME}.json",
    )


def build_vocabulary(
    space: LabelSpace, head: VideoHead, text_cfg: Mapping[str, Any] | None
) -> UnionVocabulary:
    """Embed the names of a label space with the text encoder of a model.

    Args:
        space: The categories.
        head: Of the model; it must accept text.
        text_cfg: ``head.text_embeddings`` of the config.

    Returns:
        A vocabulary on the device of the model, for requests about these categories.

    Raises:
        InferenceError: If the classifier does not read text.
        TextEmbeddingError: If vectors are missing; names the command that makes them.
    """
    if not head.accepts_text or text_cfg is None:
        spaces = ", ".join(head.label_spaces)
        raise InferenceError(
            f"the classifier of {type(head).__name__} predicts the categories it was "
            f"trained on, those of the label spaces {spaces}: choose one "
            "(label_space=, --label-space). A free vocabulary needs a model with "
            "head.classifier=dict(type='TextSimilarityClassifier')"
        )
    taxonomy = Taxonomy.from_label_spaces([space])
    if not taxonomy.has_text.all():
        textless = [c.name for c in space.categories if not c.has_text]
        raise InferenceError(
            f"categories without text cannot be predicted by name, got {textless}; "
            "leave them out"
        )
    try:
        vectors = build_text_embeddings(text_cfg, taxonomy)
    except TextEmbeddingError as error:
        raise TextEmbeddingError(f"{error}{_file_hint(space)}") from error
    if vectors.shape[1] != head.vocabulary.text_dim:
        raise InferenceError(
            f"the model reads text embeddings of width {head.vocabulary.text_dim}, the "
            f"vocabulary has {vectors.shape[1]}; use the text encoder of the model"
        )
    words = UnionVocabulary(taxonomy, vectors)
    return words.to(head.vocabulary.has_text.device)


def _file_hint(space: LabelSpace) -> str:
    """Say what the file holds that the command of the error asks for."""
    if space.name != VOCABULARY_NAME:
        return ""
    rows = [{"source_id": c.source_id, "name": c.name} for c in space.categories]
    content = json.dumps({"name": space.name, "categories": rows}, ensure_ascii=False)
    return f"\nwhere {space.origin} is a file that holds\n  {content}"
