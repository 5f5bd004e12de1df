"""Models are built once: a third of a second each."""

import pytest
from helpers.tiny_inference import TEXT_CLASSIFIER, tiny_inferencer


@pytest.fixture
def inferencer():
    """A model with a linear classifier; windows of 36 frames."""
    return tiny_inferencer()


@pytest.fixture
def text_inferencer():
    """A model that can be asked for any name."""
    return tiny_inferencer(head=dict(classifier=TEXT_CLASSIFIER))
