"""What can be wrong with an annotation file, as an exception a user can act on."""

from functools import partial
from typing import Any

from tmt_vis.printing import printable


class AnnotationError(ValueError):
    """An annotation file breaks a rule of the native VIS format.

    Args:
        file: Path of the annotation file.
        entry: Which entry of it, e.g. ``annotation id=7 (video_id=3)``.
        problem: The rule and what was found instead.
        remedy: What to change.
    """

    def __init__(self, *, file: str, entry: str, problem: str, remedy: str) -> None:
        super().__init__(printable(f"{file}: {entry}: {problem}; {remedy}"))
        self.file = file
        self.entry = entry
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        # It travels between ranks; by default pickle would pass the message alone.
        facts = {k: getattr(self, k) for k in ("file", "entry", "problem", "remedy")}
        return partial(type(self), **facts), ()
