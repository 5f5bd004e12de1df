"""What can be wrong with an annotation file, as an exception a user can act on."""

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
        self.entry = entry
        self.problem = problem
