"""mmdet's evaluation with its documented shim."""

import contextlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# Gone since NumPy 1.24; mmdet 3.3.0's evaluator still uses it.
if "float" not in vars(np):
    np.float = float


def evaluator() -> type:
    """Return YTVISeval."""
    from mmdet.evaluation.functional import YTVISeval

    return YTVISeval


@contextmanager
def quiet() -> Iterator[Any]:
    """Swallow what the reference prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        yield text


def run_evaluator(annotations: Any, results: Any, *, agnostic: bool = False) -> Any:
    """Run the official evaluator on loaded annotations; return it with ``stats``."""
    run = evaluator()(annotations, results)
    run.params.useCats = 0 if agnostic else 1
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run
