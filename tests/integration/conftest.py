"""Whole runs, without what costs more than they do."""

import pytest
from mmengine.config import Config


@pytest.fixture(scope="module", autouse=True)
def plain_config_text():
    """Skip yapf, which formats the config into every log and checkpoint.

    Measured: 0.5 s each time, and more than 10 s with long temporary paths.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "pretty_text", property(lambda self: repr(dict(self))))
        yield
