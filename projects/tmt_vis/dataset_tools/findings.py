"""What was met in a dataset: counted by kind, with a few examples of each."""

from collections import Counter
from typing import Any

from tmt_vis.printing import printable


class Findings:
    """Count things by kind and keep the first examples, so memory stays bounded.

    Args:
        examples: Examples kept per kind.

    Attributes:
        counts: Kind -> how often it was met, in order of first appearance.
        examples: Kind -> the first places.
    """

    def __init__(self, *, examples: int = 5) -> None:
        self._keep = examples
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, where: str) -> None:
        """Count one finding.

        Args:
            kind: What it is, e.g. ``missing frame``.
            where: The place, shown as an example.
        """
        self.counts[kind] += 1
        places = self.examples.setdefault(kind, [])
        if len(places) < self._keep:
            places.append(where)

    def lines(self) -> list[str]:
        """Return the findings as text, safe to print: kinds, examples under each."""
        lines = []
        for kind, count in self.counts.items():
            lines.append(f"{printable(kind)}: {count}")
            lines += [f"    {printable(place)}" for place in self.examples[kind]]
            left = count - len(self.examples[kind])
            if left:
                lines.append(f"    ... and {left} more")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as plain JSON data."""
        return {
            kind: {"count": count, "examples": self.examples[kind]}
            for kind, count in self.counts.items()
        }
