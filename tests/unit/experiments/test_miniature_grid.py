"""The grid of the miniature experiment: every method is a config that builds."""

import math
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

from experiments.miniature import __main__ as cli
from experiments.miniature import learned_tokens, oracle, runs  # noqa: F401  registers
from experiments.miniature.grid import (
    DATASETS,
    METHODS,
    PAIRS,
    TABLES,
    Setting,
    settings_of,
)
from experiments.miniature.report import Results, markdown, pairs, table3, table11
from experiments.miniature.runner import Outcome
from experiments.miniature.statistics import paired_difference, spread


def test_tables_share_settings_and_use_every_method():
    settings = settings_of(list(TABLES))
    assert {s.method for s in settings} == set(METHODS)
    assert {method for pair in PAIRS for method in pair[:2]} <= set(METHODS)


def test_a_setting_has_the_seeds_of_its_most_demanding_table():
    seeds = settings_of(["causes", "table3"])
    assert seeds[Setting("tmt")] == seeds[Setting("m2f-restricted")] == 5
    assert seeds[Setting("tmt", ("ovis",))] == 3


def test_an_unknown_table_is_named():
    with pytest.raises(KeyError, match="no table table99; there are diagnosis"):
        settings_of(["table99"])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_builds(method, monkeypatch):
    cfg = runs.make_config(Setting(method, ("ovis", "uvo")))
    assert cfg.train_dataloader.dataset.datasets.ytvis19 is None
    assert set(cfg.val_evaluator.metrics) == set(DATASETS)
    if method.endswith("oracle"):
        monkeypatch.setattr(oracle, "_categories", lambda path: {})
    head = MODELS.build(cfg.model.head)
    assert (head.guidance is None) == method.startswith("m2f")
    if head.guidance is not None:
        plain = method == "tmt-unscaled-text" or (
            method.startswith("tmt-paper") and "unit-text" not in method
        )
        assert (head.guidance.tcm.text_factor == 1) == plain
    naive = method in ("m2f", "m2f-slow-classifier") or "unrestricted" in method
    assert head.label_space_mask != naive
    rate = cfg.optim_wrapper.paramwise_cfg.custom_keys["cls_embed"].lr_mult
    text = cfg.model.head.classifier.type == "TextSimilarityClassifier"
    assert rate == (1 if text or "slow-classifier" in method else 10)


def test_new_leaves_out_what_is_kept(tmp_path, monkeypatch):
    asked = []
    for name in ("prepare", "pretrain"):
        monkeypatch.setattr(cli, name, lambda *args: None)
    monkeypatch.setattr(
        cli, "work_through", lambda runs, **_: asked.append(runs) or Outcome()
    )
    first = runs.make_run(Setting("tmt-add"), 0, tmp_path)
    monkeypatch.setattr(cli, "read_kept", lambda path: {first.key: {}})
    args = dict(
        tables=["table7"], seeds=cli.seed_range("2"), root=tmp_path, tuning=False
    )
    for new in (False, True):
        cli.run_grid(Namespace(new=new, jobs=1, budget=1, **args))
    everything, rest = ([run.key for run in runs_] for runs_ in asked)
    assert len(everything) == 6 and rest == everything[1:]


def test_seeds_are_a_number_or_a_range(tmp_path):
    assert list(cli.seed_range("3")) == [0, 1, 2]
    assert list(cli.seed_range("5-7")) == [5, 6, 7]
    for nothing in ("7-5", "0"):
        with pytest.raises(ArgumentTypeError, match=f"'{nothing}' has no seed"):
            cli.seed_range(nothing)
    args = Namespace(tables=["table7"], seeds=None, root=tmp_path, tuning=False)
    assert [run.seed for run in cli._runs(args)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [run.seed for run in cli._runs(args, range(2))] == [0, 0, 0, 1, 1, 1]
    args.seeds = range(5, 7)
    assert [run.seed for run in cli._runs(args, range(2))] == [5, 5, 5, 6, 6, 6]


def test_a_report_looks_for_every_seed_there_is(tmp_path):
    (tmp_path / "runs" / "m2f_YOU-0123abcd" / "seed-7").mkdir(parents=True)
    assert runs.known_seeds(tmp_path, ["tmt_YOU-89abcdef/seed-4"]) == {4, 7}


def test_a_dataset_gets_as_many_clips_in_every_mix():
    clips = {}
    for sets in (("ytvis19",), ("ytvis19", "ovis"), DATASETS):
        cfg = runs.make_config(Setting("tmt", sets))
        ratios = [r for r in cfg.train_dataloader.sampler.ratios.values() if r]
        count = cfg.train_cfg.max_iters
        clips[sets] = count / sum(ratios)
        assert cfg.param_scheduler[-1].end == cfg.train_cfg.val_interval == count
    assert list(clips.values()) == pytest.approx([500 / 2.75] * 3, rel=2e-3)
    # Another ratio is another share of the same budget.
    assert runs.make_config(Setting("tmt-ratio-1-1-1")).train_cfg.max_iters == 500


def test_the_folder_of_a_run_knows_its_recipe(tmp_path, monkeypatch):
    first = runs.make_run(Setting("tmt"), 0, tmp_path)
    assert first.folder.name == "seed-0"
    again = runs.make_run(Setting("tmt"), 1, tmp_path)
    assert first.folder.parent == again.folder.parent
    tuning = runs.make_run(Setting("tmt"), 0, tmp_path, tuning=True)
    assert tuning.folder != first.folder
    assert "data/heldout" not in str(tuning.config.val_dataloader)
    monkeypatch.setitem(METHODS, "tmt", {"model.head.num_queries": 17})
    assert runs.make_run(Setting("tmt"), 0, tmp_path).folder != first.folder


def test_the_short_pretraining_is_another_start_of_other_runs(tmp_path):
    short, whole = runs.SHORT_PRETRAIN_CONFIG, runs.PRETRAIN_CONFIG
    start = runs.pretrained_file(tmp_path, short)
    assert start != runs.pretrained_file(tmp_path, whole)
    run = runs.make_run(Setting("tmt"), 0, tmp_path, pretraining=short)
    assert run.folder != runs.make_run(Setting("tmt"), 0, tmp_path).folder
    runs.write_config(run, tmp_path)
    written = runs.Config.fromfile(run.folder / "config.json")
    assert written.load_from == str(start)
    # Shorter, and in nothing else another.
    cfg, other = (runs.Config.fromfile(path).to_dict() for path in (short, whole))
    assert cfg["train_cfg"]["max_iters"] == cfg["param_scheduler"][-1]["end"] == 2000
    for key in set(runs.DECIDING) - {"train_cfg", "param_scheduler"}:
        assert cfg.get(key) == other.get(key), key


def test_the_digest_covers_what_decides_a_run_and_no_more():
    cfg = runs.make_config(Setting("tmt"))
    assert cfg.train_cfg.max_iters and set(runs.DECIDING) - set(cfg) <= {"custom_hooks"}
    before = runs.config_digest(cfg)
    cfg.some_name_of_the_config_file = 1
    assert runs.config_digest(cfg) == before
    cfg.optim_wrapper.optimizer.lr *= 2
    assert runs.config_digest(cfg) != before


def test_config_of_a_run_holds_its_paths_and_seed(tmp_path):
    run = runs.make_run(Setting("m2f", ("uvo",)), 4, tmp_path)
    runs.write_config(run, tmp_path)
    cfg = runs.Config.fromfile(run.folder / "config.json")
    assert cfg.randomness.seed == 4
    assert cfg.work_dir == str(run.folder)
    dataset = cfg.train_dataloader.dataset.datasets.uvo
    assert dataset.data_root == f"{tmp_path}/data/train/uvo/"
    assert cfg.load_from == str(runs.pretrained_file(tmp_path))
    (run.folder / "config.json").write_text("kept")
    runs.write_config(run, tmp_path)
    assert (run.folder / "config.json").read_text() == "kept"


def test_spread_and_paired_difference_by_hand():
    assert spread({0: 1.0, 1: 3.0}) == (2.0, math.sqrt(2), 2)
    assert math.isnan(spread({0: 1.0}).std)
    # Pairs 2, 4, 6: the 27 resamples of three have means from 2 to 6.
    gap = paired_difference({0: 3.0, 1: 6.0, 2: 9.0}, {0: 1.0, 1: 2.0, 2: 3.0, 9: 50.0})
    assert gap.mean == 4.0
    assert (gap.low, gap.high) == pytest.approx(
        (2.0 + 2 / 3 * 0.65, 6.0 - 2 / 3 * 0.65)
    )
    assert gap.clear
    assert not paired_difference({0: 1.0}, {0: 0.0}).clear
    assert paired_difference({0: 1.0}, {1: 0.0}).count == 0


def _report(ap: float) -> dict:
    rows = [dict(name="duck", AP=ap, AP50=ap, num_objects=3, num_tracks=5)]
    return {
        "datasets": {
            d: {"summary": {"AP": ap, "AP50": ap}, "categories": rows} for d in DATASETS
        },
        "cpu_seconds": 1.0,
    }


def test_tables_pair_methods_by_seed():
    reports = {
        Setting("m2f"): {0: _report(0.10), 1: _report(0.20), 2: _report(0.30)},
        Setting("tmt"): {0: _report(0.12), 1: _report(0.23), 2: _report(0.34)},
        Setting("tmt", ("ytvis19",)): {0: _report(0.5)},
    }
    row = table3(Results(reports)).splitlines()[-1]
    assert row.startswith("| YOU | 3 | 20.0 ± 10.0 | 23.0 ± 11.0 | **+3.0 [+2.")
    table = pairs(Results(reports)).splitlines()
    assert table[2].startswith("| all of TMT-VIS | tmt − m2f | 3 | **+3.0 [+2.")
    assert table[3].endswith("| m2f-restricted − m2f | 0 | – |")
    duck = table11(Results(reports)).splitlines()[-1]
    assert duck.startswith(
        "| duck | 3 | – | 50.0 | 20.0 ± 10.0 | 23.0 ± 11.0 | – | -38.0"
    )
    assert markdown(["a"], [["1"]]) == "| a |\n| --- |\n| 1 |"


def test_tmt_is_the_preset_best_and_tmt_paper_the_preset_paper():
    folder = Path(__file__).parents[3] / "configs/tmt_vis"
    name = "_r50_8xb2-16k_ytvis19-ovis-uvo.py"
    for preset, method in (("tmt-vis", "tmt-paper"), ("tmt-vis-best", "tmt")):
        full = Config.fromfile(folder / f"{preset}{name}").model.head
        head = runs.make_config(Setting(method)).model.head
        for key in ("unit_variance_text", "num_taxonomy", "score_supervision"):
            assert head.compilation.get(key) == full.compilation.get(key), key
        for key in ("norm_first", "layer_scale"):
            assert head.injection.layer.get(key) == full.injection.layer.get(key), key
        assert head.injection.layers == full.injection.layers
        weights = [
            h.criterion.get("loss_weights", {}).get("comp") for h in (head, full)
        ]
        assert weights[0] == weights[1]
