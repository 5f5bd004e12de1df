"""What can be wrong with the files of others."""


class ConversionError(ValueError):
    """Annotations of a labelling tool cannot be turned into a native file."""
