"""TextEncoder: sentences in, unit vectors out. Frozen; nothing here is trained."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from mmengine.registry import Registry

from .errors import TextEmbeddingError

# The scope is that of the default scope of our configs, so that building an encoder
# inside a run does not warn about a registry tree that has no 'mmdet' node.
TEXT_ENCODERS = Registry("text encoder", scope="mmdet")

Progress = Callable[[int, int], None]


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale each row to length one.

    Args:
        vectors: (N, D), no zero row.

    Returns:
        (N, D) float32.
    """
    wide = np.asarray(vectors, dtype=np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


class TextEncoder(ABC):
    """Base of the text encoders.

    Constructing one is free: weights are loaded by the first `encode`, so that a
    training run can name its encoder without having it installed.
    """

    computes_on_the_fly: ClassVar[bool] = False

    @property
    @abstractmethod
    def identity(self) -> str:
        """Stable name of the encoder and its weights, e.g. 'open_clip:RN50:openai'."""

    @property
    def making_options(self) -> tuple[str, ...]:
        """Options that tell tools/text_embeddings.py where the weights are."""
        return ()

    @abstractmethod
    def provenance(self) -> dict[str, str]:
        """Tell, after `encode`, what made the vectors: package versions, weights."""

    @abstractmethod
    def _encode(self, prompts: Sequence[str]) -> np.ndarray:
        """Encode one batch; rows (n, D) need not be normalised."""

    def encode(
        self,
        prompts: Sequence[str],
        *,
        batch_size: int = 32,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Encode sentences.

        Args:
            prompts: N sentences, at least one.
            batch_size: How many to encode at once.
            progress: Called with (done, N) after each batch.

        Returns:
            (N, D) float32, rows of length one.

        Raises:
            TextEmbeddingError: If there is nothing to encode, the encoder cannot be
                loaded, or it returns something that is not N finite, non-zero rows.
        """
        if not prompts:
            raise TextEmbeddingError("there must be at least one prompt to encode")
        parts = []
        for start in range(0, len(prompts), batch_size):
            batch = list(prompts[start : start + batch_size])
            vectors = np.asarray(self._encode(batch), dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != len(batch):
                raise TextEmbeddingError(
                    f"{self.identity} must return ({len(batch)}, D) for {len(batch)} "
                    f"prompts, got {vectors.shape}"
                )
            norms = np.linalg.norm(vectors, axis=1)
            bad = ~(np.isfinite(norms) & (norms > 0))
            if bad.any():
                prompt = batch[int(bad.argmax())]
                raise TextEmbeddingError(
                    f"{self.identity} returned a zero or non-finite vector for "
                    f"{prompt!r}"
                )
            parts.append(unit_rows(vectors))
            if progress is not None:
                progress(start + len(batch), len(prompts))
        return np.concatenate(parts)
