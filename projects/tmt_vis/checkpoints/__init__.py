"""Weights of other implementations under our names; no model is built here."""

from .architectures import LAYOUTS, find_layout
from .conversion import Conversion, convert
from .errors import (
    CheckpointError,
    ClassifierRowsError,
    KeyMapError,
    UnknownArchitectureError,
    UnreadableCheckpointError,
)
from .reading import SourceCheckpoint, read_checkpoint

__all__ = [
    "LAYOUTS",
    "CheckpointError",
    "ClassifierRowsError",
    "Conversion",
    "KeyMapError",
    "SourceCheckpoint",
    "UnknownArchitectureError",
    "UnreadableCheckpointError",
    "convert",
    "find_layout",
    "read_checkpoint",
]
