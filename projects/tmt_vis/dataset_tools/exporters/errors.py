"""What can be wrong with an export."""


class ExportError(ValueError):
    """Tracks cannot be exported as asked; the message says why and what to do."""
