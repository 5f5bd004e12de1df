"""TextEmbeddings: the vectors of many prompts, and their file.

A file is an .npz without pickled objects: ``header`` (JSON as UTF-8 bytes, prompts
included) and ``vectors``. Its name is content-addressed by what went in, so the same
request always gives the same name and two requests never share one.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis.archives import check_inflation, justified_bytes
from tmt_vis.files import replacing

from .base import unit_rows
from .errors import TextEmbeddingError

FORMAT = 1
_REMEDY = "make it again with tools/text_embeddings.py"


def encoder_slug(identity: str) -> str:
    """Return an encoder identity as the beginning of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", identity.lower()).strip("-")


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """Unit vectors of prompts, with how they were made.

    Args:
        encoder: Identity of the encoder.
        templates: The templates the prompts came from.
        label_spaces: Category names per label space that was asked for.
        prompts: N distinct prompts.
        vectors: (N, D) float32, rows of length one.
        made_with: Package versions, weights and command.
    """

    encoder: str
    templates: tuple[str, ...]
    label_spaces: Mapping[str, tuple[str, ...]]
    prompts: tuple[str, ...]
    vectors: np.ndarray
    made_with: Mapping[str, str]

    def __post_init__(self) -> None:
        shape = self.vectors.shape
        if len(shape) != 2 or shape[0] != len(self.prompts):
            raise TextEmbeddingError(
                f"vectors must be ({len(self.prompts)}, D), one row per prompt, "
                f"got {shape}"
            )
        if len(set(self.prompts)) != len(self.prompts):
            raise TextEmbeddingError("prompts must be distinct")
        norms = np.linalg.norm(self.vectors, axis=1)
        if not np.allclose(norms, 1.0, atol=1e-3):
            raise TextEmbeddingError(
                "vectors must have length one, got lengths from "
                f"{norms.min():.4g} to {norms.max():.4g}"
            )

    @property
    def dim(self) -> int:
        """D, the width of the vectors."""
        return self.vectors.shape[1]

    @property
    def address(self) -> str:
        """Eight hex digits over encoder, templates, prompts and category names."""
        content = [
            self.encoder,
            self.templates,
            self.prompts,
            sorted(self.label_spaces.items()),
        ]
        text = json.dumps(content, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def file_name(self) -> str:
        """The content-addressed file name."""
        return f"{encoder_slug(self.encoder)}-{self.address}.npz"

    def save(self, folder: Path, *, dtype: str = "float16") -> Path:
        """Write the file.

        Args:
            folder: Where; made if missing.
            dtype: 'float16' (1e-3 of a component is lost at most; cosines keep six
                digits) or 'float32'.

        Returns:
            The path written.
        """
        header = {
            "format": FORMAT,
            "encoder": self.encoder,
            "templates": self.templates,
            "label_spaces": self.label_spaces,
            "dim": self.dim,
            "made_with": dict(self.made_with),
            "prompts": self.prompts,
        }
        path = folder / self.file_name
        # Written aside first: a training run may read the folder meanwhile.
        with replacing(path) as draft, draft.open("wb") as stream:
            np.savez(
                stream,
                header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
                vectors=self.vectors.astype(dtype),
            )
        return path

    @classmethod
    def load(cls, path: Path) -> "TextEmbeddings":
        """Read a file.

        Args:
            path: A file written by `save`.

        Returns:
            The embeddings, vectors as float32 of length one.

        Raises:
            TextEmbeddingError: If the file is missing, corrupt, of another format or
                at odds with its name or header.
        """
        header, vectors = _read_arrays(path)
        try:
            embeddings = cls._checked(header, vectors)
            address = embeddings.address
        except TextEmbeddingError as error:
            raise TextEmbeddingError(f"{path}: {error}") from error
        # The header is JSON of any form: a number where a list should be, a text that
        # cannot be encoded.
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TextEmbeddingError(
                f"{path}: incomplete header, {error!r}; {_REMEDY}"
            ) from error
        if path.stem.rpartition("-")[2] != address:
            raise TextEmbeddingError(
                f"{path}: the content has address {address}, so the file was altered "
                f"or renamed; {_REMEDY}"
            )
        return embeddings

    @classmethod
    def _checked(cls, header: Any, vectors: np.ndarray) -> "TextEmbeddings":
        if header["format"] != FORMAT:
            raise TextEmbeddingError(f"format must be {FORMAT}, got {header['format']}")
        _check_vectors(vectors, header["dim"])
        return cls(
            encoder=header["encoder"],
            templates=tuple(header["templates"]),
            label_spaces={k: tuple(v) for k, v in header["label_spaces"].items()},
            prompts=tuple(header["prompts"]),
            vectors=unit_rows(vectors),
            made_with=header["made_with"],
        )


def _check_vectors(vectors: np.ndarray, dim: int) -> None:
    if vectors.dtype.kind != "f":
        raise TextEmbeddingError(
            f"vectors must be floating-point numbers, got dtype {vectors.dtype}"
        )
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise TextEmbeddingError(
            f"the header announces width {dim}, the vectors are {vectors.shape}"
        )
    with np.errstate(over="ignore"):  # what overflows is not of length one
        norms = np.linalg.norm(vectors.astype(np.float32), axis=1)
    if not np.allclose(norms, 1.0, atol=1e-2):
        raise TextEmbeddingError("stored vectors must be finite and of length one")


def _read_arrays(path: Path) -> tuple[Any, np.ndarray]:
    try:
        with open(path, "rb") as file:
            check_inflation(file, path.stat().st_size)
        with np.load(path, allow_pickle=False) as arrays:
            limit = justified_bytes(path.stat().st_size)
            header = json.loads(_array(arrays, "header", limit).tobytes().decode())
            return header, _array(arrays, "vectors", limit)
    except FileNotFoundError as error:
        raise TextEmbeddingError(f"no such text-embedding file: {path}") from error
    # Truncated, altered and foreign files make numpy, zipfile and json stumble in many
    # ways, and nothing but the bytes is at work here.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise TextEmbeddingError(
            f"{path} is not a readable text-embedding file ({reason}); {_REMEDY}"
        ) from error


def _array(arrays: "np.lib.npyio.NpzFile", name: str, limit: int) -> np.ndarray:
    """Read an array, unless its shape claims more than the file can hold."""
    with arrays.zip.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(member)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > limit:
        raise TextEmbeddingError(
            f"{name} of shape {shape} would take {claimed:,} bytes, which the size of "
            "the file does not justify"
        )
    return arrays[name]
