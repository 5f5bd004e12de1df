"""What the page refuses."""


class WebError(ValueError):
    """A visitor's request that cannot be answered; the text is shown on the page."""
