"""Models are built once: a third of a second each."""

import pytest
from helpers.tiny_inference import TEXT_CLASSIFIER, tiny_inferencer


@pytest.fixture(scope="session")
def inferencer(tmp_path_factory):
    """A model with a linear classifier; windows of 36 frames."""
    return tiny_inferencer(tmp_path_factory.mktemp("linear"))


@pytest.fixture(scope="session")
def text_inferencer(tmp_path_factory):
    """A model that can be asked for any name."""
    return tiny_inferencer(
        tmp_path_factory.mktemp("text"), head=dict(classifier=TEXT_CLASSIFIER)
    )
