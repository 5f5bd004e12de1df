"""The one exception of this room."""


class TextEmbeddingError(ValueError):
    """Text embeddings that are missing, broken, or cannot be made."""
