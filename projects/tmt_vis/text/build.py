"""build_text_embeddings: the (K, D) matrix a model starts from."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis.taxonomy import DEFAULT_TEMPLATE, Taxonomy

from .base import TEXT_ENCODERS, TextEncoder, unit_rows
from .embedding_store import EmbeddingStore, default_folders
from .errors import TextEmbeddingError

_FIELDS = frozenset(("encoder", "template", "cache_dir", "file"))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    is_many = isinstance(value, Iterable) and not isinstance(value, str)
    return tuple(value) if is_many else (value,)


def _paths(value: Any) -> list[Path]:
    return [Path(path).expanduser() for path in _as_tuple(value)]


def _check_cfg(cfg: Mapping[str, Any]) -> None:
    unknown = sorted(set(cfg) - _FIELDS)
    if unknown or "encoder" not in cfg:
        raise TextEmbeddingError(
            f"text embeddings need 'encoder' and may have {sorted(_FIELDS)}; "
            f"got {sorted(cfg)}"
        )


def _templates(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    given = cfg.get("template")
    templates = (DEFAULT_TEMPLATE,) if given is None else _as_tuple(given)
    if not templates:
        raise TextEmbeddingError("'template' must be one template or a list of some")
    return templates


def make_command(
    encoder: TextEncoder, taxonomy: Taxonomy, templates: Sequence[str]
) -> str:
    """Return the command that makes the embeddings of a taxonomy.

    Args:
        encoder: The encoder.
        taxonomy: The taxonomy.
        templates: The templates.

    Returns:
        A shell command, to be run in the repository.
    """
    origins = [s.origin or s.name for s in taxonomy.label_spaces.values()]
    words = ["python", "tools/text_embeddings.py", "--label-spaces", *origins]
    words += ["--encoder", encoder.identity]
    if tuple(templates) != (DEFAULT_TEMPLATE,):
        words += ["--template", *templates]
    command = shlex.join([*words, *encoder.making_options])
    if encoder.making_options:
        command += "  # local weights, or --download to fetch them"
    return command


def _open_store(cfg: Mapping[str, Any], encoder: TextEncoder) -> EmbeddingStore:
    if cfg.get("file") is not None:
        return EmbeddingStore(encoder.identity, _paths(cfg["file"]))
    cache = cfg.get("cache_dir")
    folders = default_folders() if cache is None else _paths(cache)
    return EmbeddingStore.in_folders(encoder.identity, folders)


def _lookup(
    cfg: Mapping[str, Any], encoder: TextEncoder, prompts: Sequence[str], command: str
) -> np.ndarray:
    store = _open_store(cfg, encoder)
    missing = store.missing(prompts)
    if missing:
        read = ", ".join(map(os.fspath, store.files)) or "no file of this encoder"
        raise TextEmbeddingError(
            f"{len(missing)} of {len(prompts)} prompts have no vector of "
            f"{encoder.identity}, e.g. {missing[0]!r} (read: {read}); make them with:\n"
            f"  {command}"
        )
    return store.vectors(prompts)


def build_text_embeddings(cfg: Mapping[str, Any], taxonomy: Taxonomy) -> np.ndarray:
    """Return the text embedding of each category of a union (E of Eq. 2).

    Nothing is downloaded or encoded by a model: vectors come from files, made before
    with tools/text_embeddings.py. Only `HashTextEncoder` computes on the fly.

    Args:
        cfg: ``encoder`` (config of a text encoder), ``template`` (one, or several to
            average: mean of unit vectors, normalised again), ``file`` (file or files
            to read) or ``cache_dir`` (folder or folders to search; default: the
            bundled files and $TMT_VIS_CACHE).
        taxonomy: The union.

    Returns:
        (K, D) float32; rows of length one, zero for categories without text.

    Raises:
        TextEmbeddingError: If cfg has unknown fields, a file is broken, or prompts are
            missing; the message names the command that makes them.
        TaxonomyError: If a template does not have exactly one ``{}``.
    """
    _check_cfg(cfg)
    encoder = TEXT_ENCODERS.build(dict(cfg["encoder"]))
    templates = _templates(cfg)
    with_text = taxonomy.has_text
    if not with_text.any():
        raise TextEmbeddingError("no category of this taxonomy has text")
    command = make_command(encoder, taxonomy, templates)
    parts = []
    for template in templates:
        prompts = [p for p in taxonomy.prompts(template) if p is not None]
        parts.append(
            encoder.encode(prompts)
            if encoder.computes_on_the_fly
            else _lookup(cfg, encoder, prompts, command)
        )
    vectors = unit_rows(np.mean(parts, axis=0)) if len(parts) > 1 else parts[0]
    embeddings = np.zeros((len(with_text), vectors.shape[1]), dtype=np.float32)
    embeddings[with_text] = vectors
    return embeddings
