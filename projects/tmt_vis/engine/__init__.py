"""Training that stops, resumes and fails in a defined way."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .atomic_files import AtomicLocalBackend
from .batch_identity import identify_batch
from .checkpoint_loading import (
    DamagedCheckpointError,
    UnsafeCheckpointError,
)
from .complete_weights_hook import (
    CompleteWeightsHook,
    IncompleteWeightsError,
    load_complete_weights,
)
from .config_files import CfgOptions, ConfigError, apply_options, read_config
from .deterministic_rng_hook import DeterministicRNGHook, seed_everything
from .non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .plain_data import PlainDataError, from_plain, to_plain
from .resumable_train_loop import DataWorkerError, ResumableIterBasedTrainLoop
from .step_counters import StepCounter
from .video_runner import VideoRunner

__all__ = [
    "AtomicCheckpointHook",
    "AtomicLocalBackend",
    "CompleteWeightsHook",
    "CfgOptions",
    "ConfigError",
    "DamagedCheckpointError",
    "DataWorkerError",
    "DeterministicRNGHook",
    "IncompleteWeightsError",
    "NonFiniteLossError",
    "NonFiniteLossHook",
    "PlainCheckpointHook",
    "PlainDataError",
    "ResumableIterBasedTrainLoop",
    "StepCounter",
    "UnsafeCheckpointError",
    "VideoRunner",
    "from_plain",
    "identify_batch",
    "load_complete_weights",
    "apply_options",
    "read_config",
    "seed_everything",
    "to_plain",
]
