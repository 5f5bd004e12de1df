"""What can be wrong with a checkpoint, each with its own class."""


class CheckpointError(ValueError):
    """A checkpoint cannot be converted."""


class UnreadableCheckpointError(CheckpointError):
    """The file is damaged, of another kind, or holds more than weights."""


class UnknownArchitectureError(CheckpointError):
    """The weights are those of a model that has no place here."""


class KeyMapError(CheckpointError):
    """Weights are missing, or some have no place in the model."""


class ClassifierRowsError(CheckpointError):
    """What the rows of the classifier mean is unknown or contradictory."""
