"""Encoders written as one word, as in commands: ``open_clip:RN50:openai``.

The word is also the encoder's identity, so an error can name the exact command.
"""

from typing import Any

from .errors import TextEmbeddingError

_SPECS: dict[str, tuple[str, tuple[tuple[str, type], ...]]] = {
    "open_clip": ("OpenCLIPTextEncoder", (("model", str), ("pretrained", str))),
    "sentence_transformers": ("SentenceTransformerTextEncoder", (("model", str),)),
    "hash": ("HashTextEncoder", (("dim", int), ("seed", int))),
}


def encoder_cfg_from_spec(spec: str) -> dict[str, Any]:
    """Return the config of an encoder written as one word.

    Args:
        spec: 'open_clip:MODEL:WEIGHTS', 'sentence_transformers:MODEL' or
            'hash:DIM:SEED'.

    Returns:
        A config for the text-encoder registry.

    Raises:
        TextEmbeddingError: If the word has another form.
    """
    prefix, *values = spec.split(":")
    if prefix in _SPECS and len(values) == len(_SPECS[prefix][1]) and all(values):
        encoder, fields = _SPECS[prefix]
        try:
            options = {
                name: kind(value)
                for (name, kind), value in zip(fields, values, strict=True)
            }
            return {"type": encoder, **options}
        except ValueError:
            pass
    forms = [
        ":".join([name, *(field.upper() for field, _ in fields)])
        for name, (_, fields) in _SPECS.items()
    ]
    raise TextEmbeddingError(
        f"an encoder must be written as one of {', '.join(forms)}; got {spec!r}"
    )
