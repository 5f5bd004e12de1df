"""Where runs lie, and the config of each."""

import copy
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tmt_vis.files import write_atomically

from .grid import DATASETS, METHODS, Setting

ROOT = Path("work_dirs/miniature")
TRAIN_DATA = f"{ROOT}/data/train"
CONFIGS = Path(__file__).parent / "configs"
# What the tables of docs/findings.md are made of, where the runs themselves are gone.
KEPT = Path(__file__).parent / "results.json"
CONFIG = CONFIGS / "tmt-vis_r18-mini_1xb4-500_sprites.py"
PRETRAIN_CONFIG = CONFIGS / "mask2former-vis_r18-mini_1xb4-4500_sprites-pretrain.py"
# Of `make compare`, which has a quarter of an hour.
SHORT_PRETRAIN_CONFIG = (
    CONFIGS / "mask2former-vis_r18-mini_1xb4-2000_sprites-pretrain.py"
)
DECIDING = (
    "model",
    "load_from",
    "train_dataloader",
    "val_dataloader",
    "val_evaluator",
    "optim_wrapper",
    "param_scheduler",
    "train_cfg",
    "custom_hooks",
)


@dataclass(frozen=True)
class Run:
    """A setting with a seed, and its folder.

    The folder's name carries a digest of the whole config, so a run is never taken for
    one of another recipe and never written over.
    """

    setting: Setting
    seed: int
    folder: Path
    config: Config = field(repr=False, compare=False)

    @property
    def metrics_file(self) -> Path:
        """Written last: a run that has it is done."""
        return self.folder / "metrics.json"

    @property
    def key(self) -> str:
        """Method, datasets, digest of the recipe and seed."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def done(self) -> bool:
        """Whether the run is finished."""
        return self.metrics_file.is_file()

    def metrics(self) -> dict[str, Any]:
        """Read what the run wrote."""
        return json.loads(self.metrics_file.read_text())


@cache  # 0.2 s each, and a grid asks a hundred times
def _read(path: Path) -> dict:
    return Config.fromfile(path).to_dict()


def make_config(
    setting: Setting, *, tuning: bool = False, pretraining: Path = PRETRAIN_CONFIG
) -> Config:
    """Build the config of a setting, with the paths of the config file.

    Args:
        setting: method and datasets.
        tuning: test on the validation videos that choices may be made on, instead of
            those held out for the tables.
        pretraining: config of the weights that it starts from.
    """
    content = _read(CONFIG)
    if tuning:
        content = _relocate(content, f"{ROOT}/data/heldout", TRAIN_DATA)
    cfg = Config(copy.deepcopy(content))
    cfg.load_from = str(pretrained_file(ROOT, pretraining))
    cfg.merge_from_dict(dict(METHODS[setting.method]))
    for name in set(DATASETS) - set(setting.train_sets):
        cfg.train_dataloader.dataset.datasets[name] = None
        cfg.train_dataloader.sampler.ratios[name] = None
    _share_iterations(cfg, setting)
    guidance = cfg.model.head.get("guidance") or {}
    if guidance.get("type") == "OracleGuidance":
        metrics = cfg.val_evaluator.metrics
        guidance.ann_files = {n: metrics[n].ann_file for n in DATASETS}
    return cfg


def _share_iterations(cfg: Config, setting: Setting) -> None:
    """Give a dataset as many clips in every mix as among all three.

    With one budget for all mixes, a dataset would lose clips to those that join it,
    which is another question than whether they disturb it.
    """
    ratios = _read(CONFIG)["train_dataloader"]["sampler"]["ratios"]
    share = sum(ratios[n] for n in setting.train_sets) / sum(ratios.values())
    count = round(cfg.train_cfg.max_iters * share)
    cfg.train_cfg.update(max_iters=count, val_interval=count)
    cfg.param_scheduler[-1].end = count
    cfg.default_hooks.checkpoint.interval = count


def make_run(setting: Setting, seed: int, root: Path, **kwargs: Any) -> Run:
    """Say where a run belongs.

    Args:
        setting: what is run.
        seed: of the run.
        root: folder of the whole experiment.
        kwargs: of :func:`make_config`.
    """
    cfg = make_config(setting, **kwargs)
    name = f"{setting.name}-{config_digest(cfg)}"
    return Run(setting, seed, root / "runs" / name / f"seed-{seed}", cfg)


def known_seeds(root: Path, kept: Iterable[str]) -> set[int]:
    """Say which seeds any setting has.

    Args:
        root: folder of the whole experiment.
        kept: keys of the results that are kept elsewhere.
    """
    names = [*kept, *(str(folder) for folder in root.glob("runs/*/seed-*"))]
    return {int(name.rpartition("-")[2]) for name in names}


def config_digest(cfg: Config) -> str:
    """Shorten everything that decides a run, but the seed, to eight letters."""
    # A config also holds what it was made of, such as a catalogue of all datasets.
    deciding = {key: cfg.get(key) for key in DECIDING}
    text = json.dumps(deciding, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pretrained_file(root: Path, pretraining: Path = PRETRAIN_CONFIG) -> Path:
    """Say where the weights are that runs start from.

    Args:
        root: folder of the whole experiment.
        pretraining: config of the weights.
    """
    digest = config_digest(Config(copy.deepcopy(_read(pretraining))))
    return root / f"pretrained-{digest}.pth"


def write_config(run: Run, root: Path) -> None:
    """Write ``config.json`` of a run, unless an earlier attempt has done so.

    Args:
        run: whose folder is made.
        root: folder of the whole experiment, with the data.
    """
    if (run.folder / "config.json").is_file():
        return
    cfg = run.config.to_dict()
    cfg["randomness"] = dict(seed=run.seed)
    dump_config(cfg, run.folder, root)


def dump_config(cfg: dict, folder: Path, root: Path) -> None:
    """Write ``config.json`` into a folder, with the paths of this experiment.

    Args:
        cfg: with the paths of the config file.
        folder: becomes the work folder.
        root: folder of the whole experiment.
    """
    cfg = _relocate(cfg, cfg["work_dir"], str(folder))
    cfg = Config(_relocate(cfg, str(ROOT), str(root)))
    # JSON: to format a config as Python takes mmengine seconds.
    text = json.dumps(cfg.to_dict(), indent=1)
    write_atomically(folder / "config.json", text.encode())


def _relocate(value: Any, old: str, new: str) -> Any:
    """Replace the beginning of every path."""
    if isinstance(value, dict):
        return {key: _relocate(item, old, new) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_relocate(item, old, new) for item in value)
    if isinstance(value, str) and (value == old or value.startswith(old + "/")):
        return new + value[len(old) :]
    return value
