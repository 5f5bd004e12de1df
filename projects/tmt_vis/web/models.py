"""The models a visitor can pick, loaded when they are first needed."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from tmt_vis.inference import VISInferencer
from tmt_vis.model_zoo import NamedModel

from .cancellation import watch
from .errors import WebError

# Several queries may follow one object; a page that shows all of them reads as wrong.
MAX_IOU = 0.5


@dataclass(frozen=True)
class ModelChoice:
    """A model by its files.

    Args:
        title: What the page calls it.
        config: Config file, or a config.
        checkpoint: Path or URL of its weights.
    """

    title: str
    config: str | Config
    checkpoint: str | Path


def choices_of(
    configs: Sequence[str],
    checkpoints: Sequence[str],
    named: Sequence[NamedModel] = (),
) -> tuple[ModelChoice, ...]:
    """List models: released ones by their names, others by their config files.

    Args:
        configs: Config files.
        checkpoints: One for each config.
        named: Released models.

    Returns:
        Choices whose titles differ; equal ones are numbered.

    Raises:
        WebError: Unless there are as many checkpoints as configs, and a model at all.
    """
    if len(configs) != len(checkpoints) or not (configs or named):
        raise WebError(
            "a model is a config and a checkpoint: give --config and --checkpoint as "
            f"often, at least once, got {len(configs)} and {len(checkpoints)}"
        )
    choices = [ModelChoice(one.name, one.config, one.checkpoint) for one in named]
    for config, checkpoint in zip(configs, checkpoints, strict=True):
        taken, number = {choice.title for choice in choices}, 2
        title = stem = Path(config).stem
        while title in taken:
            title, number = f"{stem} ({number})", number + 1
        choices.append(ModelChoice(title, config, checkpoint))
    return tuple(choices)


class ModelShelf:
    """Load each model once; all visitors share it.

    Args:
        choices: The models, the first one is picked at the start.
        device: Where they compute; None means the GPU if there is one.
    """

    def __init__(
        self, choices: Sequence[ModelChoice], *, device: str | None = None
    ) -> None:
        self._choices = {choice.title: choice for choice in choices}
        self._device = device
        self._loaded: dict[str, VISInferencer] = {}
        self._lock = threading.Lock()

    @property
    def titles(self) -> tuple[str, ...]:
        """What the models are called, in the order given."""
        return tuple(self._choices)

    def get(self, title: str) -> VISInferencer:
        """Return a model, which is loaded if need be.

        Raises:
            WebError: If there is no model of that name.
        """
        if title not in self._choices:
            raise WebError(
                f"the models are {', '.join(self._choices)}, got {title!r}; choose one"
            )
        with self._lock:
            if title not in self._loaded:
                self._loaded[title] = self._load(self._choices[title])
                watch(self._loaded[title].model)
            return self._loaded[title]

    def _load(self, choice: ModelChoice) -> VISInferencer:
        return VISInferencer(
            choice.config, choice.checkpoint, self._device, max_iou=MAX_IOU
        )
