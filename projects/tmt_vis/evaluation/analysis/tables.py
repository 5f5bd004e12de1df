"""Tables that read well in a terminal and in a Markdown file alike."""

import math
from collections.abc import Sequence

from tmt_vis.printing import printable


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1
) -> str:
    """Lay cells out as a Markdown table with aligned columns.

    Args:
        header: C titles.
        rows: Rows of C cells.
        left: Columns that are aligned to the left; the others are numbers.
    """
    table = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[c]) for row in table)) for c in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if column < left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join([line(table[0]), line(rule), *map(line, table[1:])])


def percent(fraction: float, *, sign: bool = False) -> str:
    """Write a fraction in percent with one digit; a dash for NaN."""
    if math.isnan(fraction):
        return "-"
    return f"{100 * fraction:+.1f}" if sign else f"{100 * fraction:.1f}"
