"""What tools/reproduce.py does, step by step."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.model import is_model_wrapper

import tmt_vis
from tmt_vis.engine.launch import build_tester, join_processes
from tmt_vis.files import write_atomically
from tmt_vis.model_zoo import (
    PreparedCheckpoint,
    PublishedRow,
    PublishedTable,
    fetch_weights,
    licence_accepted,
    prepare_checkpoint,
)
from tmt_vis.printing import format_table

from .comparison import Comparison, compare, format_comparisons
from .official_test import ReproductionError, check_data, official_config, withheld
from .surplus import check_surplus

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to reproduce, and with what.

    Args:
        row: What was published.
        data_root: Folder of the datasets.
        work_dir: Where everything of this run goes.
        download_dir: Where released files are kept.
        checkpoint: The user's file; None downloads the released one.
        datasets: Those to test on; None means all with a published number.
        options: Further ``KEY=VALUE`` for the config.
        accept_license: Whether the user accepts the licence of the file.
        launcher: How the processes were started, as in tools/test.py.
    """

    row: PublishedRow
    data_root: Path
    work_dir: Path
    download_dir: Path
    checkpoint: Path | None = None
    datasets: Sequence[str] | None = None
    options: Sequence[str] = ()
    accept_license: bool = False
    launcher: str = "none"

    @property
    def converted(self) -> Path:
        """Where the converted checkpoint goes."""
        return self.work_dir / "converted.pth"


def list_rows(table: PublishedTable) -> str:
    """Lay the rows of a table out, by group."""
    parts = []
    for group in table.about:
        rows = [row for row in table.rows.values() if row.group == group]
        cells = [(row.name, row.backbone, _aps(row), row.state) for row in rows]
        header = ("name", "backbone", "published AP", "state")
        parts.append(f"{group}\n{rows[0].source.url}\n{format_table(header, cells)}")
    return "\n\n".join(parts)


def describe(row: PublishedRow) -> list[str]:
    """Say what was published, and what of it was checked here."""
    lines = [f"{row.name}: {row.method}, {row.backbone} ({row.state})"]
    lines.append(f"published by {row.source.title}, {row.source.url}")
    for dataset, numbers in row.published.items():
        values = "  ".join(f"{k} {v:.1f}" for k, v in numbers.items())
        lines.append(f"  {dataset}: {values}  (AP +- {row.tolerances[dataset]:.1f})")
    for title, items in (
        ("verified here", row.verified),
        ("NOT verified here", row.not_verified),
    ):
        lines += [f"{title}:", *(f"  - {item.text}" for item in items)] if items else []
    return lines


def plan(request: Request) -> list[str]:
    """Say what a run would do, without doing any of it.

    Raises:
        ReproductionError: If the row cannot be run at all.
    """
    row = request.row
    cfg = _config(request)
    try:
        check_data(cfg)
        data = "found"
    except ReproductionError as error:
        data = str(error)
    return [
        f"1. data: {data}",
        f"2. checkpoint: {_origin(request)}",
        f"3. convert to {request.converted}, unless it is of this project already",
        f"4. test {_shown(row.config)} on {', '.join(_names(cfg))}; {_settings(row)}",
        "5. compare with the published AP, or write submissions to "
        f"{request.work_dir / 'submissions'} where the ground truth is withheld",
    ]


def reproduce(request: Request, *, say: Say, progress: Callable | None = None) -> bool:
    """Fetch, convert, test and compare.

    With several processes the first one fetches, converts and reports; all of them
    test.

    Args:
        request: What to do.
        say: Gets lines for people, those of the first process.
        progress: Of the download: bytes that arrived, bytes in all.

    Returns:
        Whether every AP that could be measured is within its tolerance.

    Raises:
        ModelZooError, CheckpointError, TaxonomyError, IncompleteWeightsError: If
            something does not fit.
        FileNotFoundError: If the given checkpoint does not exist.
    """
    cfg = _config(request)
    cfg.launcher = request.launcher
    check_data(cfg)
    join_processes(cfg)

    def prepare() -> PreparedCheckpoint:
        say("\n".join(describe(request.row)))
        file = request.checkpoint or _download(request, progress)
        return prepare_checkpoint(file, request.row, cfg, request.converted)

    prepared = _on_main_process(prepare)
    if is_main_process():
        say("\n".join(prepared.report))
    runner = build_tester(cfg, str(prepared.path))
    model = runner.model
    wrapped = is_model_wrapper(model)  # by DistributedDataParallel
    check_surplus(model.module if wrapped else model, prepared.names)
    metrics = runner.test()
    comparisons = compare(request.row, metrics)
    if is_main_process():
        _report(request, cfg, prepared, comparisons, metrics, say)
    return all(item.within is not False for item in comparisons)


def _on_main_process(work: Callable[[], Any]) -> Any:
    """Do something on the first process; all of them get its result or its error."""
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [work()]
        except Exception as error:  # the other processes wait for the broadcast
            outcome = [error]
    broadcast_object_list(outcome)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _config(request: Request) -> Config:
    return official_config(
        request.row,
        data_root=request.data_root,
        work_dir=request.work_dir,
        datasets=request.datasets,
        options=request.options,
    )


def _download(request: Request, progress: Callable | None) -> Path:
    row = request.row
    if row.checkpoint is None or not row.checkpoint.url:
        raise ReproductionError(
            f"{row.name} has no public weights; train it ({train_command(row)}) and "
            "name the result with --checkpoint FILE"
        )
    return fetch_weights(
        row,
        request.download_dir,
        accept_license=request.accept_license,
        progress=progress,
    )


def train_command(row: PublishedRow) -> str:
    """Spell out the training of a row that has a config."""
    command = f"mim train mmdet {_shown(row.config)} --launcher pytorch --gpus 8"
    return " ".join([command, *(["--cfg-options", *row.options] * bool(row.options))])


def _shown(path: Path) -> str:
    inside = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)


def _origin(request: Request) -> str:
    if request.checkpoint is not None:
        found = "" if request.checkpoint.is_file() else " (does not exist)"
        return f"{request.checkpoint}{found}"
    row = request.row
    if row.checkpoint is None or not row.checkpoint.url:
        return f"none is public; train it: {train_command(row)}; give --checkpoint FILE"
    where = request.download_dir / row.checkpoint.file_name
    accepted = licence_accepted(row.source, request.download_dir)
    need = "" if accepted else " (needs --accept-license)"
    return f"{row.checkpoint.url} to {where}; licence: {row.source.licence}{need}"


def _settings(row: PublishedRow) -> str:
    stated = [f"{k} {v}" for k, v in asdict(row.test).items() if v is not None]
    return "settings of the publication: " + (", ".join(stated) or "as in the config")


def _names(cfg: Config) -> Iterator[str]:
    entries = cfg.test_dataloader.dataset.datasets
    return (name for name, entry in entries.items() if entry is not None)


def _aps(row: PublishedRow) -> str:
    parts = [f"{name} {numbers['AP']:.1f}" for name, numbers in row.published.items()]
    return ", ".join(parts)


def _report(
    request: Request,
    cfg: Config,
    prepared: PreparedCheckpoint,
    comparisons: Sequence[Comparison],
    metrics: dict[str, float],
    say: Say,
) -> None:
    submissions = withheld(cfg, metrics)
    if comparisons:
        say(f"\n{format_comparisons(comparisons)}")
    for name, file in submissions:
        number = request.row.published[name]["AP"]
        say(
            f"\n{name}: the ground truth is withheld, so no AP could be computed here. "
            f"Submit {file} and compare with AP {number:.1f}"
        )
    record: dict[str, Any] = dict(
        row=request.row.name,
        config=str(request.row.config),
        options=[*request.row.options, *request.options],
        settings=asdict(request.row.test),
        checkpoint=dict(
            file=str(prepared.source),
            url="" if request.checkpoint else request.row.checkpoint.url,
            sha256=prepared.sha256,
        ),
        comparisons=[
            dict(asdict(item), difference=item.difference, within=item.within)
            for item in comparisons
        ],
        submissions={name: str(file) for name, file in submissions},
        tmt_vis_version=tmt_vis.__version__,
    )
    target = request.work_dir / "reproduction.json"
    write_atomically(target, json.dumps(record, indent=1).encode())
    say(f"\nrecord: {target}")
