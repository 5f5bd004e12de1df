"""What can be wrong with a checkpoint, each with its own class."""


class CheckpointError(ValueError):
    """A checkpoint cannot be used."""


class UnreadableCheckpointError(CheckpointError):
    """The file is damaged, of another kind, or holds more than weights."""


class DamagedCheckpointError(UnreadableCheckpointError):
    """A file that is cut off, or no checkpoint at all."""


class UnsafeCheckpointError(UnreadableCheckpointError):
    """A checkpoint that can only be read by executing code from it."""


class OversizedCheckpointError(UnreadableCheckpointError):
    """A file that claims far more memory than its bytes can justify."""


class NonFiniteWeightsError(CheckpointError):
    """Weights that are NaN or infinite."""


class UnknownArchitectureError(CheckpointError):
    """The weights are those of a model that has no place here."""


class KeyMapError(CheckpointError):
    """Weights are missing, or some have no place in the model."""


class ClassifierRowsError(CheckpointError):
    """What the rows of the classifier mean is unknown or contradictory."""
