"""OpenCLIPTextEncoder: the frozen f_text of the paper (Eq. 1)."""

import importlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from tmt_vis.archives import check_inflation
from tmt_vis.checkpoints import load_file

from .base import TEXT_ENCODERS, TextEncoder
from .errors import TextEmbeddingError
from .weights import package_versions, sha256_of_files


def _is_torchscript(path: Path) -> bool:
    """Ask as torch.load does, which otherwise unpickles what is in the file.

    An archive with a constants.pkl in some folder is none, whatever it pretends.
    """
    if not zipfile.is_zipfile(path):
        return False
    check_inflation(path, path.stat().st_size)
    try:
        reader = torch._C.PyTorchFileReader(str(path))
    except RuntimeError:  # a zip, but not of torch
        return False
    return "constants.pkl" in reader.get_all_records()


def _import_open_clip() -> ModuleType:
    try:
        return importlib.import_module("open_clip")
    except ImportError as error:
        raise TextEmbeddingError(
            f"encoding with CLIP needs open_clip ({error}); pip install open_clip_torch"
        ) from error


@TEXT_ENCODERS.register_module()
class OpenCLIPTextEncoder(TextEncoder):
    """The text tower of an open_clip model.

    The paper names no model; RN50 of OpenAI gives the 1024 dimensions its released
    code expects.

    Args:
        model: Name of an open_clip architecture.
        pretrained: Tag of its weights; with ``checkpoint`` any label that names them.
        checkpoint: Weights file; nothing is downloaded then. Files saved by open_clip,
            safetensors and the TorchScript archives of OpenAI are read.
        allow_download: Let open_clip fetch the weights of the tag.
    """

    def __init__(
        self,
        *,
        model: str = "RN50",
        pretrained: str = "openai",
        checkpoint: str | None = None,
        allow_download: bool = False,
    ) -> None:
        self.model = model
        self.pretrained = pretrained
        self.checkpoint = Path(checkpoint).expanduser() if checkpoint else None
        self.allow_download = allow_download
        self._loaded: tuple[Any, Any] | None = None

    @property
    def identity(self) -> str:
        return f"open_clip:{self.model}:{self.pretrained}"

    @property
    def making_options(self) -> tuple[str, ...]:
        return ("--checkpoint", "FILE")

    def provenance(self) -> dict[str, str]:
        weights = f"{self.pretrained} (fetched by open_clip)"
        if self.checkpoint is not None:
            weights = sha256_of_files([self.checkpoint])
        return {**package_versions("open_clip", "torch"), "weights": weights}

    def _check_source(self, open_clip: ModuleType) -> dict[str, Any]:
        """Return the tag's settings, having made sure no surprise download follows."""
        architecture = open_clip.get_model_config(self.model)
        if architecture is None:
            raise TextEmbeddingError(
                f"open_clip has no architecture {self.model!r}; it knows "
                f"{', '.join(open_clip.list_models())}"
            )
        tag = open_clip.get_pretrained_cfg(self.model, self.pretrained)
        if self.checkpoint is None and not tag:
            tags = ", ".join(open_clip.list_pretrained_tags_by_model(self.model))
            tags = tags or "none"
            raise TextEmbeddingError(
                f"{self.model} has no weights {self.pretrained!r}; tags: {tags}"
                "; or give a weights file with --checkpoint FILE"
            )
        if self.checkpoint is not None and not self.checkpoint.is_file():
            raise TextEmbeddingError(f"no such weights file: {self.checkpoint}")
        text = architecture["text_cfg"]
        needs_hub = {"hf_model_name", "hf_tokenizer_name"}.intersection(text)
        if not self.allow_download and (self.checkpoint is None or needs_hub):
            what = "tokenizer" if self.checkpoint else "weights"
            raise TextEmbeddingError(
                f"the {what} of {self.identity} would have to be fetched, and nothing "
                "is downloaded unasked: run tools/text_embeddings.py --encoder "
                f"{self.identity} with --checkpoint FILE (offline) or with --download"
            )
        return tag

    def _load(self) -> tuple[Any, Any]:
        open_clip = _import_open_clip()
        tag = self._check_source(open_clip)
        checkpoint = self.checkpoint
        scripted = checkpoint is not None and _is_torchscript(checkpoint)
        if checkpoint is not None and not scripted:
            load_file(checkpoint)  # open_clip's own errors are pages, and advise worse
        model = open_clip.create_model(
            self.model,
            pretrained=str(checkpoint) if checkpoint else self.pretrained,
            # OpenAI's models were trained with QuickGELU; open_clip 3 merely warns
            # when an architecture without it gets their weights.
            force_quick_gelu=bool(tag.get("quick_gelu", False)),
            # torch refuses TorchScript under weights_only although it runs no pickle.
            weights_only=not scripted,
            require_pretrained=True,
        )
        return model.eval(), open_clip.get_tokenizer(self.model)

    def _encode(self, prompts: Sequence[str]) -> np.ndarray:
        if self._loaded is None:
            self._loaded = self._load()
        model, tokenize = self._loaded
        with torch.inference_mode():
            return model.encode_text(tokenize(list(prompts))).numpy()
