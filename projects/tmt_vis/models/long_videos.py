"""Which videos are too long to be looked at as a whole."""

from typing import Protocol

from mmdet.registry import TASK_UTILS
from torch import Tensor, nn

from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType


class LongVideoPredictor(Protocol):
    """Predicts videos of any length in bounded memory."""

    max_frames: int  # longer videos are its business

    def predict(
        self, model: nn.Module, clip: Tensor, sample: ClipDataSample
    ) -> ClipDataSample:
        """Predict one packed video, ``(T, 3, h, w)``."""


class LongVideoChoice:
    """Build the predictor of long videos when it is needed for the first time.

    Predictors live in rooms that import the models, and training needs none.

    Args:
        cfg: of the predictor; None: every video is looked at as a whole.
    """

    def __init__(self, cfg: ConfigType | None) -> None:
        self._cfg = cfg
        self._predictor: LongVideoPredictor | None = None

    def of(self, num_frames: int) -> LongVideoPredictor | None:
        """Return who predicts a video of so many frames; None is the model itself."""
        if self._cfg is None:
            return None
        if self._predictor is None:
            self._predictor = TASK_UTILS.build(self._cfg)
        return self._predictor if num_frames > self._predictor.max_frames else None
