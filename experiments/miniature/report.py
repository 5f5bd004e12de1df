"""From finished runs to Markdown tables."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .grid import DATASETS, PAIRS, TABLES, Setting
from .runs import Run
from .statistics import Difference, Spread, paired_difference, spread

SHORT = {"ytvis19": "YTVIS19", "ovis": "OVIS", "uvo": "UVO", "mean": "mean"}
COLUMNS = (*DATASETS, "mean")


@dataclass(frozen=True)
class Results:
    """The finished runs of some settings.

    Args:
        reports: setting -> seed -> what ``metrics.json`` holds.
    """

    reports: Mapping[Setting, Mapping[int, dict[str, Any]]]

    @classmethod
    def load(
        cls, runs: Iterable[Run], kept: Mapping[str, dict[str, Any]] | None = None
    ) -> "Results":
        """Read those of the runs that are done.

        Args:
            runs: of all settings.
            kept: what finished runs of the same recipe wrote elsewhere, by
                :attr:`Run.key`; counts where there is no run of one's own.
        """
        reports: dict[Setting, dict[int, dict[str, Any]]] = {}
        for run in runs:
            by_seed = reports.setdefault(run.setting, {})
            if run.done:
                by_seed[run.seed] = run.metrics()
            elif run.key in (kept or {}):
                by_seed[run.seed] = kept[run.key]
        return cls(reports)

    def metric(
        self, setting: Setting, dataset: str, name: str = "AP"
    ) -> dict[int, float]:
        """Return a metric in percent, seed -> value.

        Args:
            setting: of the runs.
            dataset: tested on, or ``mean`` over all.
            name: AP, AP50, ...
        """
        return {
            seed: _percent(report, dataset, name)
            for seed, report in self.reports.get(setting, {}).items()
        }

    def variant(self, setting: Setting, *path: str) -> dict[int, float]:
        """Return mean AP in percent of predictions that were changed, seed -> value.

        Args:
            setting: of the runs.
            path: where a dataset's report keeps their summary.
        """
        out = {}
        for seed, report in self.reports.get(setting, {}).items():
            values = [_at(report["datasets"][name], path) for name in DATASETS]
            if all(values):
                out[seed] = sum(100 * v["AP"] for v in values) / len(values)
        return out

    def category(self, setting: Setting, dataset: str, name: str) -> dict[int, float]:
        """Return the AP of one category in percent, seed -> value."""
        out = {}
        for seed, report in self.reports.get(setting, {}).items():
            rows = report["datasets"][dataset]["categories"]
            values = [row["AP"] for row in rows if row["name"] == name]
            out[seed] = (
                100 * values[0] if values and values[0] is not None else math.nan
            )
        return out


def _at(report: Any, path: Sequence[str]) -> Any:
    for key in path:
        report = (report or {}).get(key)
    return report


def _percent(report: dict[str, Any], dataset: str, name: str) -> float:
    if dataset == "mean":
        return sum(_percent(report, d, name) for d in DATASETS) / len(DATASETS)
    value = report["datasets"][dataset]["summary"][name]
    return math.nan if value is None else 100 * value


def format_spread(value: Spread) -> str:
    """Write ``12.3 ± 0.4``, without the deviation of a single seed."""
    if not value.count:
        return "–"
    if math.isnan(value.std):
        return f"{value.mean:.1f}"
    return f"{value.mean:.1f} ± {value.std:.1f}"


def format_difference(value: Difference) -> str:
    """Write ``+1.2 [0.3, 2.0]``, in bold if the interval leaves zero out."""
    if not value.count:
        return "–"
    if math.isnan(value.low):
        return f"{value.mean:+.1f}"
    text = f"{value.mean:+.1f} [{value.low:+.1f}, {value.high:+.1f}]"
    return f"**{text}**" if value.clear else text


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison(
    results: Results,
    settings: Sequence[Setting],
    reference: Setting,
    *,
    metric: str = "AP",
) -> str:
    """Compare settings with a reference, on every dataset.

    Args:
        results: of the runs.
        settings: the rows.
        reference: what the last column subtracts.
        metric: AP, AP50, ...
    """
    header = ["method", "trained on", "seeds", *(SHORT[c] for c in COLUMNS)]
    header.append(f"mean − {reference.method}_{reference.letters}")
    rows = []
    for setting in settings:
        spreads = [spread(results.metric(setting, c, metric)) for c in COLUMNS]
        gap = paired_difference(
            results.metric(setting, "mean", metric),
            results.metric(reference, "mean", metric),
        )
        rows.append(
            [
                setting.method,
                setting.letters,
                str(spreads[-1].count),
                *map(format_spread, spreads),
                "" if setting == reference else format_difference(gap),
            ]
        )
    return markdown(header, rows)


def table3(results: Results) -> str:
    """Datasets x {M2F, TMT}, tested on each set, with the paired difference."""
    header = ["trained on", "seeds"]
    for column in COLUMNS:
        header += [f"{SHORT[column]}: M2F", "TMT", "TMT − M2F"]
    rows = []
    for mix in dict.fromkeys(s.train_sets for s in TABLES["table3"]):
        m2f, tmt = Setting("m2f", mix), Setting("tmt", mix)
        row = [tmt.letters, str(len(results.reports.get(tmt, {})))]
        for column in COLUMNS:
            ours, theirs = results.metric(tmt, column), results.metric(m2f, column)
            row += [format_spread(spread(theirs)), format_spread(spread(ours))]
            row.append(format_difference(paired_difference(ours, theirs)))
        rows.append(row)
    return markdown(header, rows)


def table11(results: Results, dataset: str = "ytvis19") -> str:
    """Per category: which sets draw it, and AP of single and joint training."""
    settings = [
        Setting(method, mix)
        for mix in ((dataset,), DATASETS)
        for method in ("m2f", "tmt")
    ]
    header = [
        "category",
        "test objects",
        *(f"{s.method}_{s.letters}" for s in settings),
    ]
    header += ["joint m2f − single", "joint tmt − single"]
    rows = []
    for name, objects in sorted(_categories(results, dataset).items()):
        values = [results.category(s, dataset, name) for s in settings]
        gaps = [
            format_difference(paired_difference(values[k + 2], values[k]))
            for k in (0, 1)
        ]
        spreads = [format_spread(spread(v)) for v in values]
        rows.append([name, str(objects), *spreads, *gaps])
    return markdown(header, rows)


def _categories(results: Results, dataset: str) -> dict[str, int]:
    for report in _all_reports(results):
        rows = report["datasets"][dataset]["categories"]
        return {row["name"]: row["num_objects"] for row in rows}
    return {}


def compilation(results: Results) -> str:
    """What TCM knows of the test videos, beside a ranking that ignores the video."""
    header = ["method", "tested on", "seeds"]
    for count in _RECALL_AT:
        header += [f"recall@{count}", "fixed ranking"]
    header.append("AUROC")
    rows = []
    for setting in TABLES["diagnosis"]:
        for dataset in DATASETS:
            facts = _taxonomy_facts(results, setting, dataset)
            if facts:
                rows.append([setting.method, SHORT[dataset], str(len(facts))])
                rows[-1] += _compilation_cells(facts)
    return markdown(header, rows)


def auroc(results: Results) -> str:
    """Whether TCM looks at the clip, from one preset to the other."""
    rows = []
    for setting in TABLES["design"]:
        facts = {d: _taxonomy_facts(results, setting, d) for d in DATASETS}
        if all(facts.values()):
            cells = [_auroc_cell(facts[dataset]) for dataset in DATASETS]
            rows.append([setting.method, str(len(facts[DATASETS[0]])), *cells])
    return markdown(["method", "seeds", *(SHORT[d] for d in DATASETS)], rows)


def _taxonomy_facts(
    results: Results, setting: Setting, dataset: str
) -> dict[int, dict[str, Any]]:
    """Return what TCM knew of the test videos, seed -> facts; empty without TCM."""
    reports = results.reports.get(setting, {})
    facts = {s: r["datasets"][dataset].get("taxonomy") for s, r in reports.items()}
    return {seed: fact for seed, fact in facts.items() if fact}


_RECALL_AT = (1, 3, 5)


def _compilation_cells(facts: Mapping[int, dict[str, Any]]) -> list[str]:
    cells = []
    for count in _RECALL_AT:
        for name in ("recall_at", "recall_at_of_mean_ranking"):
            values = {s: 100 * fact[name][count - 1] for s, fact in facts.items()}
            cells.append(format_spread(spread(values)))
    return [*cells, _auroc_cell(facts)]


def _auroc_cell(facts: Mapping[int, dict[str, Any]]) -> str:
    mean, std, _ = spread({seed: fact["mean_auroc"] for seed, fact in facts.items()})
    return f"{mean:.2f}" if math.isnan(std) else f"{mean:.2f} ± {std:.2f}"


def headroom(results: Results) -> str:
    """What knowing the categories of a video would be worth, and what TCM's are."""
    header = ["method", "seeds", "mean AP", "told what is shown", "gain"]
    header += ["scores x sqrt(S)", "gain"]
    rows = []
    for setting in TABLES["diagnosis"]:
        plain = results.metric(setting, "mean")
        told = results.variant(setting, "shown_only")
        by_tcm = results.variant(setting, "taxonomy", "weighted")
        if not told:
            continue
        row = [setting.method, str(len(told))]
        row.append(format_spread(spread(plain)))
        for values in (told, by_tcm):
            row.append(format_spread(spread(values)))
            row.append(format_difference(paired_difference(values, plain)))
        rows.append(row)
    return markdown(header, rows)


def _all_reports(results: Results) -> Iterator[dict[str, Any]]:
    for by_seed in results.reports.values():
        yield from by_seed.values()


def cost(results: Results) -> str:
    """Say how many runs there are and what they took."""
    reports = list(_all_reports(results))
    if not reports:
        return "No run is finished."
    hours = sum(report["cpu_seconds"] for report in reports) / 3600
    return f"{len(reports)} runs, {hours:.1f} core hours."


def _plain(name: str) -> Callable[[Results], str]:
    def build(results: Results) -> str:
        settings = TABLES[name]
        reference = Setting("m2f") if Setting("m2f") in settings else Setting("tmt")
        return comparison(results, settings, reference)

    return build


def pairs(results: Results) -> str:
    """Differences of mean AP over the seeds that both methods have."""
    rows = []
    for method, reference, question in PAIRS:
        gap = paired_difference(
            results.metric(Setting(method), "mean"),
            results.metric(Setting(reference), "mean"),
        )
        rows.append(
            [
                question,
                f"{method} − {reference}",
                str(gap.count),
                format_difference(gap),
            ]
        )
    return markdown(["what", "difference", "seeds", "mean AP"], rows)


def table4(results: Results) -> str:
    """Components, for one dataset and for three, each against its own baseline."""
    parts = []
    for mix in (("ytvis19",), DATASETS):
        rows = [s for s in TABLES["table4"] if s.train_sets == mix]
        parts.append(comparison(results, rows, Setting("m2f", mix)))
    return "\n\n".join(parts)


def table12(results: Results) -> str:
    """Zero-shot: what was trained on, tested on sets that were not."""
    parts = []
    for mix in dict.fromkeys(s.train_sets for s in TABLES["table12"]):
        rows = [s for s in TABLES["table12"] if s.train_sets == mix]
        parts.append(comparison(results, rows, Setting("m2f", mix)))
    return "\n\n".join(parts)


BUILDERS: dict[str, Callable[[Results], str]] = {
    **{name: _plain(name) for name in TABLES},
    "table3": table3,
    "table4": table4,
    "pairs": pairs,
    "table11": table11,
    "table12": table12,
    "compilation": compilation,
    "auroc": auroc,
    "headroom": headroom,
}
