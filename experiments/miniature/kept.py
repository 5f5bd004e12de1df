"""Results that outlive their work folders: one JSON file under version control."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tmt_vis.files import write_atomically

from .runs import Run


def read_kept(path: Path) -> dict[str, dict[str, Any]]:
    """Read what was kept, :attr:`Run.key` -> content of ``metrics.json``.

    Args:
        path: of the file; nothing is kept where there is none.
    """
    return json.loads(path.read_text()) if path.is_file() else {}


def keep(runs: Iterable[Run], path: Path) -> int:
    """Add finished runs to the file; what it holds of others stays.

    Args:
        runs: of which the finished ones are kept.
        path: of the file.

    Returns:
        How many runs the file holds.
    """
    results = read_kept(path)
    results |= {run.key: _rounded(run.metrics()) for run in runs if run.done}
    lines = [
        f"{json.dumps(key)}: {json.dumps(results[key], separators=(',', ':'))}"
        for key in sorted(results)
    ]
    # A line per run, so that a difference shows which runs came or went.
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    return len(results)


def _rounded(value: Any) -> Any:
    """Round to six digits: fewer change the last digit of the tables."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
