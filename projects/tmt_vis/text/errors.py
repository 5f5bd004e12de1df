"""The exception of this package."""


class TextEmbeddingError(ValueError):
    """Text embeddings that are missing, broken, or cannot be made."""
