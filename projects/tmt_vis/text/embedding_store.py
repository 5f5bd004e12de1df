"""EmbeddingStore: look prompts up in the files of one encoder."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tmt_vis.taxonomy import data_root

from .embedding_file import TextEmbeddings, encoder_slug
from .errors import TextEmbeddingError

# Two files of one encoder must agree on the prompts they share. Half precision and
# other machines cost about 1e-4; other weights differ by 1e-1.
_AGREEMENT = 5e-3
PROBE_PROMPT = "a photo of an object."


def default_folders() -> list[Path]:
    """Return where files are looked for: the bundled ones, then $TMT_VIS_CACHE."""
    folders = [data_root() / "text_embeddings"]
    if cache := os.environ.get("TMT_VIS_CACHE"):
        folders.append(Path(cache).expanduser())
    return folders


def default_output() -> Path:
    """Return where new files go: $TMT_VIS_CACHE if set, else the data folder."""
    return default_folders()[-1]


class EmbeddingStore:
    """The vectors of all prompts in some files of one encoder.

    Args:
        encoder: Identity of the encoder; files of others are an error.
        files: The files to read.

    Raises:
        TextEmbeddingError: If a file is broken or of another encoder, or if two files
            differ in width or in the vector of a shared prompt.
    """

    def __init__(self, encoder: str, files: Iterable[Path]) -> None:
        self.encoder = encoder
        self.files: list[Path] = []
        self._vectors: dict[str, tuple[np.ndarray, Path]] = {}
        for path in files:
            self._add(path)

    @classmethod
    def in_folders(cls, encoder: str, folders: Iterable[Path]) -> "EmbeddingStore":
        """Read all files of an encoder that lie in some folders.

        Args:
            encoder: Identity of the encoder.
            folders: Folders; missing ones are empty ones.

        Returns:
            The store.
        """
        pattern = f"{encoder_slug(encoder)}-????????.npz"
        files = [path for folder in folders for path in sorted(folder.glob(pattern))]
        return cls(encoder, files)

    @property
    def dim(self) -> int | None:
        """D, the width of the vectors; None in an empty store."""
        first = next(iter(self._vectors.values()), None)
        return None if first is None else len(first[0])

    def _add(self, path: Path) -> None:
        embeddings = TextEmbeddings.load(path)
        if embeddings.encoder != self.encoder:
            raise TextEmbeddingError(
                f"{path} holds embeddings of {embeddings.encoder}, not of "
                f"{self.encoder}; choose that encoder or another file"
            )
        if self.dim not in (None, embeddings.dim):
            raise TextEmbeddingError(
                f"{path} is {embeddings.dim} wide, {self.files[0]} is {self.dim}; "
                "remove the one that does not belong to this encoder"
            )
        for prompt, vector in zip(embeddings.prompts, embeddings.vectors, strict=True):
            known, source = self._vectors.setdefault(prompt, (vector, path))
            if np.abs(known - vector).max() > _AGREEMENT:
                raise TextEmbeddingError(
                    f"{path} and {source} give different vectors for {prompt!r}, so "
                    f"they come from different weights of {self.encoder}; name the "
                    "one to use with file=..."
                )
        self.files.append(path)

    def missing(self, prompts: Iterable[str]) -> list[str]:
        """Return the prompts that have no vector, in order."""
        return [prompt for prompt in prompts if prompt not in self._vectors]

    def vectors(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the vectors of prompts, all of which must be there.

        Args:
            prompts: N prompts, at least one.

        Returns:
            (N, D) float32, rows of length one.

        Raises:
            TextEmbeddingError: If a prompt is missing.
        """
        if absent := self.missing(prompts):
            raise TextEmbeddingError(
                f"{len(absent)} prompts have no vector of {self.encoder}: {absent[:3]}"
            )
        return np.stack([self._vectors[prompt][0] for prompt in prompts])
