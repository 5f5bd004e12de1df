"""Nearest neighbours by cosine, to see with one look whether embeddings make sense."""

from collections.abc import Sequence

import numpy as np

from .errors import TextEmbeddingError


def nearest_categories(
    embeddings: np.ndarray, names: Sequence[str], *, k: int = 3
) -> dict[str, list[tuple[str, float]]]:
    """Return the nearest other categories of each category.

    Args:
        embeddings: (K, D), rows of length one; zero rows (no text) are skipped.
        names: K names.
        k: How many neighbours.

    Returns:
        Per name, (other name, cosine) pairs, nearest first.

    Raises:
        TextEmbeddingError: If the counts differ.
    """
    if len(embeddings) != len(names):
        raise TextEmbeddingError(
            f"each row needs a name, got {len(embeddings)} rows, {len(names)} names"
        )
    with_text = np.flatnonzero(np.abs(embeddings).max(axis=1))
    cosines = embeddings[with_text] @ embeddings[with_text].T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, len(with_text) - 1)]
    return {
        names[with_text[row]]: [
            (names[with_text[column]], float(cosines[row, column]))
            for column in columns
        ]
        for row, columns in enumerate(order)
    }
