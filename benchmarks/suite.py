"""Run benchmarks one by one, each in a process of its own, and keep every result."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmt_vis.files import replacing

from . import registry
from .common import Incorrect, Options, Skipped, Spec
from .environment import describe
from .memory import in_child

SCHEMA = 1


@dataclass
class Result:
    """What came out of one benchmark.

    Args:
        spec: what was compared.
        status: ``done``, ``skipped``, ``wrong`` (A and B differ), ``failed``.
        reason: why it is not done.
        rows: lines of the table; those before a failure are kept.
        environment: machine, versions, commit.
        scale: of the options.
        seconds: in all.
    """

    spec: Spec
    status: str
    reason: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    scale: str = "default"
    seconds: float = 0.0

    @property
    def fails(self) -> bool:
        """Whether the run has to end with an error."""
        if self.status in ("wrong", "failed"):
            return True
        # Tiny sizes say nothing about speed.
        gating = self.spec.gating and self.scale != "quick"
        return gating and any(row["verdict"] == "missed" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        spec = self.spec
        return dict(
            schema=SCHEMA,
            name=spec.name,
            reference=spec.reference,
            ours=spec.ours,
            gating=spec.gating,
            status=self.status,
            reason=self.reason,
            scale=self.scale,
            seconds=round(self.seconds, 1),
            rows=self.rows,
            environment=self.environment,
        )


def run_one(spec: Spec, run: Callable[[Options], Any], options: Options) -> Result:
    """Run one benchmark here; errors become part of the result."""
    result, start = Result(spec, "done", scale=options.scale), time.perf_counter()
    try:
        result.environment = describe()
        for row in run(options):
            result.rows.append(row.to_dict())
    except Skipped as why:
        result.status, result.reason = "skipped", str(why)
    except Incorrect as why:
        result.status, result.reason = "wrong", str(why)
    result.seconds = time.perf_counter() - start
    return result


def run_all(
    names: Sequence[str],
    options: Options,
    *,
    results: Path | None,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Run benchmarks; each result is written as soon as it is there.

    Args:
        names: of :data:`registry.NAMES`.
        options: how large and how often.
        results: folder of the JSON files, or None.
        say: takes lines about the progress.

    Returns:
        The results as in the files.
    """
    done = []
    for number, name in enumerate(names, 1):
        say(f"[{number}/{len(names)}] {name}")
        result = _in_own_process(name, options)
        entry = dict(result.to_dict(), fails=result.fails)
        for line in summary(entry):
            say(f"    {line}")
        # A traceback names folders of this machine; it has just been shown.
        entry["reason"] = entry["reason"].splitlines()[-1] if entry["reason"] else ""
        if results is not None:
            file = _file(results, name)
            if _keep_other(file, entry):
                say("    kept: what another machine measured")
            else:
                write_json(file, entry)
        done.append(entry)
    return done


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '_')}.json"


def _keep_other(file: Path, entry: dict[str, Any]) -> bool:
    """Tell whether a machine that cannot run something would replace a measurement."""
    if entry["status"] != "skipped" or not file.exists():
        return False
    return json.loads(file.read_text())["status"] == "done"


def _in_own_process(name: str, options: Options) -> Result:
    module = registry.load(name)
    start = time.perf_counter()
    try:
        return in_child(
            lambda: run_one(module.SPEC, module.run, options),
            timeout=module.SPEC.timeout,
        )
    except (RuntimeError, TimeoutError) as error:
        reason = str(error).strip()
        took = time.perf_counter() - start
        return Result(module.SPEC, "failed", reason, scale=options.scale, seconds=took)


def write_json(path: Path, content: Any) -> None:
    """Write a file at once and complete."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=1) + "\n")


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Read what is there, in the order of the registry."""
    files = [_file(folder, name) for name in registry.NAMES]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def summary(entry: dict[str, Any]) -> list[str]:
    """Describe a result in some lines."""
    lines = [_line(row) for row in entry["rows"]]
    if entry["status"] != "done":
        lines.append(f"{entry['status']}: {entry['reason']}")
    return [*lines, f"({entry['seconds']:.0f} s)"]


def _line(row: dict[str, Any]) -> str:
    parts = [row["size"]]
    if row["a"]["median"] is not None:
        parts.append(f"A {amount(row['a']['median'], row['unit'])}")
    parts.append(f"B {amount(row['b']['median'], row['unit'])}")
    if row["ratio"]:
        parts.append("{:.2f} ({:.2f}-{:.2f})".format(*row["ratio"]))
    if row["target"]:
        parts.append(f"target {demand(row['target'], row['unit'])}: {row['verdict']}")
    return "; ".join(part for part in (*parts, row["agreement"], row["note"]) if part)


def demand(target: dict[str, Any] | None, unit: str) -> str:
    """Write a target."""
    if target is None:
        return ""
    if target["ratio"] is not None:
        return f"≥ {target['ratio']:.3g}x"
    return f"≤ {amount(target['at_most'], unit)}"


def amount(value: float, unit: str) -> str:
    """Write a number with a unit that suits its size."""
    if unit == "bytes":
        return f"{value / 1e6:.3g} MB" if value < 1e9 else f"{value / 1e9:.3g} GB"
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "share":
        return f"{100 * value:.2g} %"
    return f"{value:,.0f}" if unit == "count" else f"{value:.3g} {unit}"
