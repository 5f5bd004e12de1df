"""The tables and plots of docs/performance.md, from the JSON results."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmt_vis.files import replacing

from .plots import plot_ratios
from .suite import amount, demand

Results = Sequence[Mapping[str, Any]]
_VERDICTS = dict(met="met", close="within 10 %", missed="**missed**", reported="")


def renew(page: Path, results: Results) -> None:
    """Replace the marked blocks of a page and draw its plots.

    Args:
        page: has ``<!-- benchmarks:NAME -->`` and ``<!-- /benchmarks:NAME -->`` lines
            around each block; plots go to the folder ``images`` beside it.
        results: as read from the JSON files.

    Raises:
        ValueError: if there is no result or a marker is missing.
    """
    if not results:
        raise ValueError("there are no results; run python -m benchmarks --results DIR")
    compared = [r for r in results if not _is_advice(r)]
    advice = [r for r in results if _is_advice(r)]
    text = page.read_text()
    for name, block in (
        ("table", table(compared)),
        ("advice", table(advice)),
        ("sides", sides(results)),
        ("missed", missed(results)),
        ("machine", machine(results)),
    ):
        text = replace_block(text, name, block)
    images = page.parent / "images"
    plot_ratios(images / "benchmarks.png", compared)
    plot_ratios(images / "benchmarks_advice.png", advice)
    with replacing(page) as draft:
        draft.write_text(text)


def replace_block(text: str, name: str, block: str) -> str:
    """Put a block between its markers."""
    start, end = f"<!-- benchmarks:{name} -->", f"<!-- /benchmarks:{name} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.S)
    if not pattern.search(text):
        raise ValueError(f"the page has no block {start} ... {end}; add both lines")
    return pattern.sub(lambda _: f"{start}\n{block}\n{end}", text)


def table(results: Results) -> str:
    """Write one row per measurement; what did not run says why."""
    lines = [
        "| benchmark | size | A | B | A / B (quartiles) | target | verdict |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for result in results:
        name = f"`{result['name']}`"
        for row in result["rows"]:
            lines.append(f"| {name} | {_row(row)} |")
        if result["status"] != "done":
            reason = _one_line(result["reason"])
            lines.append(f"| {name} | | | | | | {result['status']}: {reason} |")
    return "\n".join(lines)


def sides(results: Results) -> str:
    """Say what A and B are."""
    lines = ["| benchmark | A | B |", "|---|---|---|"]
    lines += [f"| `{r['name']}` | {r['reference']} | {r['ours']} |" for r in results]
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    unit, a = row["unit"], row["a"]["median"]
    ratio = row["ratio"]
    cells = (
        "; ".join(part for part in (row["size"], row["note"]) if part),
        "" if a is None else amount(a, unit),
        amount(row["b"]["median"], unit),
        _ratio(ratio) if ratio else "",
        demand(row["target"], unit),
        _VERDICTS[row["verdict"]],
    )
    return " | ".join(cells)


def _ratio(ratio: Sequence[float]) -> str:
    middle, low, high = ratio
    if low == high:
        return f"{middle:.3g}"
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def missed(results: Results) -> str:
    """List what was not reached, and what is slower than the reference."""
    lines = []
    for result in results:
        for row in result["rows"]:
            ratio = row["ratio"][0] if row["ratio"] else None
            slower = ratio is not None and ratio < 1
            if row["verdict"] == "missed" or slower:
                what = "missed" if row["verdict"] == "missed" else "slower or larger"
                got = "" if ratio is None else f", {ratio:.2f}"
                wanted = demand(row["target"], row["unit"])
                wanted = f" of {wanted}" if wanted else ""
                lines.append(
                    f"- {what}: `{result['name']}`, {row['size']}{got}{wanted}"
                )
        if result["status"] in ("wrong", "failed"):
            reason = _one_line(result["reason"])
            lines.append(f"- {result['status']}: `{result['name']}`, {reason}")
    return "\n".join(lines) or "- nothing"


def machine(results: Results) -> str:
    """Name machines, versions and allocator: of most results, then of the others."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        if result["environment"]:
            groups.setdefault(result["environment"]["cpu"], []).append(result)
    if not groups:
        return "Unknown."
    most, *others = sorted(groups.values(), key=len, reverse=True)
    facts = most[0]["environment"]
    versions = ", ".join(f"{k} {v}" for k, v in facts["versions"].items())
    allocator = " ".join(f"{k}={v}" for k, v in facts["allocator"].items())
    lines = [
        f"{_place(most)}; Python {facts['python']}, {versions}; `{allocator}`; "
        "(+ behind a commit: with uncommitted changes)."
    ]
    for group in others:
        names = ", ".join(f"`{result['name']}`" for result in group)
        lines.append(f"{names}: {_place(group)}.")
    return "\n\n".join(lines)


def _place(results: Results) -> str:
    """Say where, at which commits and under which load some results were measured."""
    every = [result["environment"] for result in results]
    facts, loads = every[0], [facts["load_average"] for facts in every]
    commits = sorted({facts["commit"] for facts in every})
    minutes = sum(result["seconds"] for result in results) / 60
    return (
        f"{facts['cpu']}, {facts['cores']} cores, threads: {facts['threads']}; commit "
        f"{', '.join(commits)}; load average {min(loads)} to {max(loads)} while it "
        f"ran; {minutes:.0f} minutes in all"
    )


def _is_advice(result: Mapping[str, Any]) -> bool:
    return result["name"].startswith("advice/")


def _one_line(reason: str) -> str:
    """Return the last line: of a traceback it is the error."""
    return reason.strip().splitlines()[-1].replace("|", "/") if reason else ""
