"""The exception of this package."""


class TaxonomyError(ValueError):
    """A label space, link or category id that breaks a rule of the taxonomy."""
