"""Names to vectors: frozen text encoders and the files of their embeddings."""

from .base import TEXT_ENCODERS, TextEncoder
from .build import build_text_embeddings, make_command
from .clip_encoder import OpenCLIPTextEncoder
from .embedding_file import TextEmbeddings, encoder_slug
from .embedding_store import EmbeddingStore, default_folders, default_output
from .errors import TextEmbeddingError
from .hash_encoder import HashTextEncoder
from .make import make_text_embeddings, prompts_of
from .neighbours import nearest_categories
from .sentence_encoder import SentenceTransformerTextEncoder
from .specs import encoder_cfg_from_spec

__all__ = [
    "TEXT_ENCODERS",
    "EmbeddingStore",
    "HashTextEncoder",
    "OpenCLIPTextEncoder",
    "SentenceTransformerTextEncoder",
    "TextEmbeddingError",
    "TextEmbeddings",
    "TextEncoder",
    "build_text_embeddings",
    "default_folders",
    "default_output",
    "encoder_cfg_from_spec",
    "encoder_slug",
    "make_command",
    "make_text_embeddings",
    "nearest_categories",
    "prompts_of",
]
