"""Released models: the table of them, their files, and names for both."""

from .configuration import merge_options, published_config
from .downloads import downloads, fetch_weights, home, licence_accepted
from .errors import LicenceError, ModelZooError, PublishedTableError
from .listing import format_models
from .opening import NamedModel, by_hand, converted_path, is_cached, open_model
from .preparation import PreparedCheckpoint, prepare_checkpoint
from .published import PublicFile, PublishedRow, PublishedTable, Source, Statement
from .published_file import load_published
from .released import ReleasedModel, find_model, released_models

__all__ = [
    "LicenceError",
    "ModelZooError",
    "NamedModel",
    "PreparedCheckpoint",
    "PublicFile",
    "PublishedRow",
    "PublishedTable",
    "PublishedTableError",
    "ReleasedModel",
    "Source",
    "Statement",
    "by_hand",
    "converted_path",
    "downloads",
    "fetch_weights",
    "find_model",
    "format_models",
    "home",
    "is_cached",
    "licence_accepted",
    "load_published",
    "merge_options",
    "open_model",
    "prepare_checkpoint",
    "published_config",
    "released_models",
]
