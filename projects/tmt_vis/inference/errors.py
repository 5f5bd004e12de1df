"""What can go wrong between a user's video and a result."""


class InferenceError(ValueError):
    """A request that cannot be answered: wrong input, vocabulary, model or output."""


class FrameSourceError(InferenceError):
    """An input that cannot be read as frames of one size."""
