"""What can be wrong with a model that is given by its name."""


class ModelZooError(ValueError):
    """A released model that is unknown, or cannot be had."""


class PublishedTableError(ModelZooError):
    """A table of published results is malformed, or lacks what was asked for."""


class LicenceError(ModelZooError):
    """Weights whose licence was not accepted."""
