"""HashTextEncoder: deterministic vectors without any model, for tests and demos."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from .base import TEXT_ENCODERS, TextEncoder
from .errors import TextEmbeddingError

_WORD = re.compile(r"[^\W_]+")
# Words of prompt templates. Left in, they would fill most of every vector and all
# categories would look alike.
_BOILERPLATE = frozenset(
    ("a", "an", "the", "of", "in", "on", "photo", "picture", "image", "video")
)
_NGRAM_LENGTHS = (3, 4, 5)


def _ngrams(prompt: str) -> Iterator[str]:
    words = _WORD.findall(prompt.lower())
    telling = [word for word in words if word not in _BOILERPLATE] or words
    for word in telling:
        marked = f"<{word}>"
        yield marked
        for length in _NGRAM_LENGTHS:
            for start in range(len(marked) - length + 1):
                yield marked[start : start + length]


@TEXT_ENCODERS.register_module()
class HashTextEncoder(TextEncoder):
    """Sum the pseudo-random signs of a prompt's character n-grams.

    Prompts with common word parts get similar vectors; there is no meaning in them.
    All arithmetic before the final scaling is exact, so every machine agrees.

    Args:
        dim: D, at least 8.
        seed: Selects the signs.

    Raises:
        TextEmbeddingError: If dim is below 8.
    """

    computes_on_the_fly: ClassVar[bool] = True

    def __init__(self, *, dim: int = 64, seed: int = 0) -> None:
        if dim < 8:
            raise TextEmbeddingError(f"dim must be at least 8, got {dim}")
        self.dim = dim
        self.seed = seed

    @property
    def identity(self) -> str:
        return f"hash:{self.dim}:{self.seed}"

    def provenance(self) -> dict[str, str]:
        return {"algorithm": "SHAKE-256 signs of character n-grams"}

    def _signs(self, text: str) -> np.ndarray:
        digest = hashlib.shake_256(f"{self.seed}\0{text}".encode())
        bits = np.frombuffer(digest.digest((self.dim + 7) // 8), dtype=np.uint8)
        return np.unpackbits(bits)[: self.dim].astype(np.int64) * 2 - 1

    def _encode_one(self, prompt: str) -> np.ndarray:
        ngrams = sum(2 * self._signs(ngram) for ngram in _ngrams(prompt))
        # The odd term for the whole prompt keeps different prompts apart and the sum
        # away from zero.
        return ngrams + self._signs(f"\0{prompt}")

    def _encode(self, prompts: Sequence[str]) -> np.ndarray:
        return np.stack([self._encode_one(prompt) for prompt in prompts])
