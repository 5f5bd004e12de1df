"""Weights of other implementations under our names; no model is built here."""

from .architectures import LAYOUTS, find_layout
from .conversion import Conversion, convert
from .conversion_file import conversion_bytes, describe_conversion
from .digests import hash_of
from .errors import (
    CheckpointError,
    ClassifierRowsError,
    KeyMapError,
    UnknownArchitectureError,
    UnreadableCheckpointError,
)
from .fetching import FetchError, fetch, matches
from .reading import SourceCheckpoint, read_checkpoint

__all__ = [
    "LAYOUTS",
    "CheckpointError",
    "ClassifierRowsError",
    "Conversion",
    "FetchError",
    "KeyMapError",
    "SourceCheckpoint",
    "UnknownArchitectureError",
    "UnreadableCheckpointError",
    "conversion_bytes",
    "convert",
    "describe_conversion",
    "fetch",
    "find_layout",
    "hash_of",
    "matches",
    "read_checkpoint",
]
