"""Copies of a model in a quarter of the time that copy.deepcopy takes."""

import copy
import io
import pickle

import torch


class ModelCopies:
    """Makes equal models that share nothing, not even with the one they are made of.

    Most of copy.deepcopy's time goes to the eleven empty dictionaries of each module,
    in Python; pickle does them in C. Measured, a tiny detector: 50 ms and 12 ms.

    Args:
        model: what is copied; changing it later changes no copy but of its tensors.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        buffer = io.BytesIO()
        writer = _Writer(buffer, pickle.HIGHEST_PROTOCOL)
        writer.dump(model)
        self._pickled, self._tensors = buffer.getvalue(), writer.tensors

    def make(self) -> torch.nn.Module:
        """Return a new model."""
        return _Reader(io.BytesIO(self._pickled), self._tensors).load()


class _Writer(pickle.Pickler):
    """Puts tensors aside: torch would write a file for each."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.tensors: list[torch.Tensor] = []

    def persistent_id(self, value: object) -> int | None:
        if not isinstance(value, torch.Tensor):
            return None
        self.tensors.append(value)
        return len(self.tensors) - 1


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self.tensors, self.copies = tensors, {}

    def persistent_load(self, number: int) -> torch.Tensor:
        # With one memo, a tensor that two modules share is shared in the copy as well.
        return copy.deepcopy(self.tensors[number], self.copies)
