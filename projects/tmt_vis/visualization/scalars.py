"""The numbers MMEngine logs while it trains."""

import json
from pathlib import Path

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]  # steps (n,), values (n,)


def read_scalars(path: str | Path) -> dict[str, Curve]:
    """Read the scalars MMEngine logs, one JSON object per line.

    Args:
        path: ``scalars.json``, another ``*.json`` of ``vis_data``, or a folder below
            which the newest ``scalars.json`` is taken.

    Returns:
        Name -> (steps, values), NaN kept, in the order of the file.

    Raises:
        FileNotFoundError: If the folder holds no ``scalars.json``.
        ValueError: If a line is not JSON or nothing was logged.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(
            path.rglob("scalars.json"), key=lambda file: file.stat().st_mtime
        )
        if not files:
            raise FileNotFoundError(
                f"no scalars.json below {path}; did training start?"
            )
        path = files[-1]
    points: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
        step = row.get("step", row.get("iter"))
        for name, value in row.items():
            if step is not None and isinstance(value, int | float):
                points.setdefault(name, []).append((step, value))
    if not points:
        raise ValueError(f"{path} holds no scalars with a step")
    return {name: tuple(np.array(rows, float).T) for name, rows in points.items()}


def smooth(values: np.ndarray, *, window: float = 0.015) -> np.ndarray:
    """Average with a Gaussian around each point, so that the curve does not lag.

    Args:
        values: (n,) numbers; NaN is left out of the averages.
        window: Standard deviation as a fraction of n; under one point, nothing happens.

    Returns:
        (n,) float64, NaN only where nothing near was measured.
    """
    sigma = window * len(values)
    if sigma < 1:
        return np.array(values, dtype=float)
    reach = int(min(3 * sigma, (len(values) - 1) // 2))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    known = ~np.isnan(values)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="same")
    weight = np.convolve(known.astype(float), kernel, mode="same")
    return np.where(weight > 1e-12, total / np.maximum(weight, 1e-12), np.nan)
