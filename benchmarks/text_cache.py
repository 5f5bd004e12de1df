"""Text embeddings from a file instead of an encoder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tmt_vis.text import EmbeddingStore, TextEmbeddings

from .common import Options, Row, Skipped, Spec, Target, compare_times

SPEC = Spec(
    name="text/cache",
    reference="CLIP's text encoder (RN50)",
    ours="EmbeddingStore of a file",
    target=Target(at_most=0.05),
)
_ENCODED = 24  # of all names: encoding 1,236 takes minutes
_DIM = 1024


def run(options: Options) -> Iterator[Row]:
    """Encode a few names, and load all of them."""
    try:
        import open_clip
    except ImportError as error:
        raise Skipped("needs open_clip_torch (requirements/text.txt)") from error
    names = [f"a photo of a thing {n}." for n in range(options.choose(20, 1236))]
    model = open_clip.create_model("RN50", pretrained=None).eval()
    tokens = open_clip.get_tokenizer("RN50")(names[:_ENCODED])
    vectors = np.random.default_rng(0).standard_normal((len(names), _DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings = TextEmbeddings(
        encoder="benchmark",
        templates=("{}",),
        label_spaces={},
        prompts=tuple(names),
        vectors=vectors.astype(np.float32),
        made_with={},
    )
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        embeddings.save(Path(folder))

        def load() -> np.ndarray:
            store = EmbeddingStore.in_folders("benchmark", [Path(folder)])
            return store.vectors(names)

        def check(a: torch.Tensor, b: np.ndarray) -> str:
            assert tuple(a.shape) == (_ENCODED, _DIM), f"encoded {tuple(a.shape)}"
            error = np.abs(b - vectors).max()
            assert error < 1e-3, f"the file changes vectors by {error:.1e}"
            return f"the file keeps vectors to {error:.0e} (float16)"

        yield compare_times(
            SPEC,
            options,
            size=f"{len(names):,} names loaded, {_ENCODED} encoded",
            a=lambda: model.encode_text(tokens),
            b=load,
            check=check,
            note=f"A encodes {_ENCODED} names only, with random weights",
        )
