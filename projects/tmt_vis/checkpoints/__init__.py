"""Weights of other implementations under our names; no model is built here."""

from .architectures import LAYOUTS, find_layout
from .conversion import Conversion, convert
from .conversion_file import conversion_bytes, describe_conversion
from .digests import hash_of
from .errors import (
    CheckpointError,
    ClassifierRowsError,
    DamagedCheckpointError,
    KeyMapError,
    NonFiniteWeightsError,
    OversizedCheckpointError,
    UnknownArchitectureError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
)
from .fetching import FetchError, Progress, fetch, matches
from .file_loading import load_file
from .reading import SourceCheckpoint, load_checkpoint, read_checkpoint
from .weights import as_checkpoint, check_finite, common_prefix

__all__ = [
    "LAYOUTS",
    "CheckpointError",
    "ClassifierRowsError",
    "Conversion",
    "DamagedCheckpointError",
    "FetchError",
    "KeyMapError",
    "NonFiniteWeightsError",
    "OversizedCheckpointError",
    "Progress",
    "SourceCheckpoint",
    "UnknownArchitectureError",
    "UnreadableCheckpointError",
    "UnsafeCheckpointError",
    "as_checkpoint",
    "check_finite",
    "common_prefix",
    "conversion_bytes",
    "convert",
    "describe_conversion",
    "fetch",
    "find_layout",
    "hash_of",
    "load_checkpoint",
    "load_file",
    "matches",
    "read_checkpoint",
]
