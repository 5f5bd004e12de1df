"""Runs are done once, kept, and go on after an interruption."""

import fcntl
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from experiments.miniature import __main__ as cli
from experiments.miniature import pretraining, runner
from experiments.miniature.grid import Setting
from experiments.miniature.kept import keep, read_kept
from experiments.miniature.probe import CompilationProbeHook
from experiments.miniature.report import Results
from experiments.miniature.runs import SHORT_PRETRAIN_CONFIG, Run, pretrained_file

ENDLESS = math.inf
SCRIPT = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
(folder / "attempts").open("a").write("x")
if {fails} and folder.name == "seed-1":
    sys.exit("out of luck")
summary = dict(ovis=dict(summary=dict(AP=0.5)))
(folder / "metrics.json").write_text(json.dumps(dict(datasets=summary)))
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three runs, whose work is a short script."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.02)

    def make(*, fails=False):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(fails=fails))
        monkeypatch.setattr(
            runner, "worker_command", lambda run: [sys.executable, script, run.folder]
        )
        monkeypatch.setattr(
            runner,
            "write_config",
            lambda run, root: run.folder.mkdir(parents=True, exist_ok=True),
        )
        return [
            Run(Setting("tmt"), seed, tmp_path / f"seed-{seed}", None)
            for seed in range(3)
        ]

    return make


def _attempts(run):
    return len((run.folder / "attempts").read_text())


def test_what_is_done_is_not_done_again(runs, tmp_path, capsys):
    todo = runs()
    first = runner.work_through(todo, root=tmp_path, jobs=2, budget=ENDLESS)
    # Two work at a time: which of them ends first is the machine's choice.
    printed = re.findall(r"\[(\d+)\] tmt_YOU seed (\d+) ", capsys.readouterr().out)
    assert [number for number, _ in printed] == ["1", "2", "3"]
    assert sorted(seed for _, seed in printed) == ["0", "1", "2"]
    assert sorted(run.seed for run in first.finished) == [0, 1, 2]
    assert not first.failed and not first.left
    second = runner.work_through(todo, root=tmp_path, jobs=2, budget=ENDLESS)
    assert second == runner.Outcome()
    assert not capsys.readouterr().out
    assert [_attempts(run) for run in todo] == [1, 1, 1]


def test_a_failure_is_shown_and_the_others_go_on(runs, tmp_path, capsys):
    todo = runs(fails=True)
    outcome = runner.work_through(todo, root=tmp_path, jobs=1, budget=ENDLESS)
    assert [run.seed for run in outcome.failed] == [1]
    assert [run.seed for run in outcome.finished] == [0, 2]
    assert "out of luck" in capsys.readouterr().out
    runner.work_through(todo, root=tmp_path, jobs=1, budget=ENDLESS)
    assert [_attempts(run) for run in todo] == [1, 2, 1]


def test_no_run_is_started_after_the_budget(runs, tmp_path):
    todo = runs()
    outcome = runner.work_through(todo, root=tmp_path, jobs=1, budget=-1)
    assert outcome.left == todo
    assert not outcome.finished


def test_two_processes_do_not_do_the_same_runs(runs, tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match="another process works in"):
            runner.work_through(runs(), root=tmp_path, jobs=1, budget=ENDLESS)


def test_pretraining_keeps_the_weights_but_the_classifier(tmp_path, monkeypatch):
    """Once; a training that fails names its log."""
    state = {
        "backbone.w": torch.ones(2),
        "head.query_decoder.cls_embed.w": torch.ones(3),
    }
    real = subprocess.Popen

    def worker(command, **kwargs):
        calls.append(command[-1])
        code = "import sys, time; time.sleep(0.05); sys.exit(STATUS)"
        torch.save({"state_dict": state}, f"{command[-1]}/iter_9.pth")
        Path(command[-1], "last_checkpoint").write_text(f"{command[-1]}/iter_9.pth")
        return real([sys.executable, "-c", code.replace("STATUS", status)], **kwargs)

    calls = []
    monkeypatch.setattr(pretraining.subprocess, "Popen", worker)
    monkeypatch.setattr(pretraining, "POLL_SECONDS", 0.02)
    config = SHORT_PRETRAIN_CONFIG
    target = pretrained_file(tmp_path, config)
    status = "3"
    with pytest.raises(RuntimeError, match=r"failed \(3\); log: .*output.log"):
        pretraining.pretrain(tmp_path, config)
    assert not target.exists()
    status = "0"
    pretraining.pretrain(tmp_path, config)
    pretraining.pretrain(tmp_path, config)
    assert calls == [str(tmp_path / target.stem)] * 2
    assert set(torch.load(target)["state_dict"]) == {"backbone.w"}


def test_blocks_of_a_document_are_renewed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end -->\nb\n")
    cli.renew_blocks(page, {"x": "new"})
    assert page.read_text() == "a\n<!-- x -->\nnew\n<!-- end -->\nb\n"
    page.write_text("<!-- y -->\n<!-- end -->\n")
    with pytest.raises(KeyError, match="a block 'y'"):
        cli.renew_blocks(page, {"x": "new"})


def test_a_document_gets_the_figures_that_it_shows(tmp_path):
    page, figures = tmp_path / "docs" / "page.md", tmp_path / "report"
    page.parent.mkdir()
    figures.mkdir()
    for name in ("shown", "other"):
        (figures / f"{name}.png").write_bytes(name.encode())
    page.write_text("![a picture](images/miniature/shown.png)\n")
    cli.copy_pictures(figures, page)
    copied = list((page.parent / "images" / "miniature").iterdir())
    assert [path.name for path in copied] == ["shown.png"]
    assert copied[0].read_bytes() == b"shown"


def test_losses_of_all_attempts_make_one_curve(tmp_path):
    from experiments.miniature.worker import _curves

    for stamp, steps in (("1", (10, 20)), ("2", (20, 30))):
        folder = tmp_path / stamp / "vis_data"
        folder.mkdir(parents=True)
        lines = [json.dumps(dict(step=s, loss=s + int(stamp))) for s in steps]
        (folder / "scalars.json").write_text("\n".join(lines))
    assert _curves(tmp_path) == {"step": [10, 20, 30], "loss": [11, 22, 32]}


def test_kept_results_stand_in_for_runs_that_are_gone(runs, tmp_path):
    todo, file = runs(), tmp_path / "results.json"
    assert read_kept(file) == {}
    runner.work_through(todo[:2], root=tmp_path, jobs=1, budget=ENDLESS)
    report = dict(datasets=dict(ovis=dict(summary=dict(AP=1 / 3, n=7), rows=[2 / 3])))
    todo[0].metrics_file.write_text(json.dumps(report))
    assert keep(todo, file) == 2
    kept = read_kept(file)
    assert kept[todo[0].key]["datasets"]["ovis"] == {
        "summary": {"AP": 0.333333, "n": 7},
        "rows": [0.666667],
    }
    # A run of one's own counts before a kept one; another recipe has another key.
    todo[1].metrics_file.write_text(json.dumps(dict(datasets={}, own=True)))
    todo[0].metrics_file.unlink()
    reports = Results.load(todo, kept).reports[todo[0].setting]
    assert reports[0] == kept[todo[0].key]
    assert reports[1]["own"] and set(reports) == {0, 1}
    other = Run(Setting("tmt"), 0, tmp_path / "tmt_YOU-other" / "seed-0", None)
    assert not Results.load([other], kept).reports[other.setting]
    # What is kept stays when its run is gone.
    assert keep(todo, file) == 2


class _Samples:
    """Two clips of one dataset: categories {0, 1}, then {2}."""

    shows = ([0, 1], [2])

    def __iter__(self):
        return iter(SimpleNamespace(label_space="ovis", labels=x) for x in self.shows)


def test_probe_measures_the_ranking_of_each_batch():
    scores = torch.tensor([[0.1, 5.0, 0.2, 9.0], [0.0, 1.0, 2.0, 3.0]])
    keep_mask = torch.tensor([[True, True, True, False]] * 2)
    tcm = nn.Identity()
    head = SimpleNamespace(
        guidance=SimpleNamespace(tcm=tcm),
        vocabulary=SimpleNamespace(num_categories=4),
        clip_targets=lambda s: SimpleNamespace(labels=torch.tensor(s.labels)),
    )
    runner_ = SimpleNamespace(
        model=SimpleNamespace(head=head), message_hub=MessageHub("probe")
    )
    probe = CompilationProbeHook()
    probe.before_train(runner_)
    tcm(SimpleNamespace(score_logits=scores, class_keep=keep_mask))
    batch = dict(data_samples=list(_Samples()))
    probe.after_train_iter(runner_, 0, batch)
    logged = runner_.message_hub.log_scalars
    # Ranked 1, 2, 0 and 2, 1, 0: half of {0, 1}, then all of {2}.
    assert logged["train/recall@1"].current() == pytest.approx(0.75)
    assert logged["train/recall@3"].current() == 1.0
    # Nothing was seen before the first clip: ties by number, so 0; then 0 and 1.
    assert logged["train/recall_prior@1"].current() == pytest.approx(0.25)


def test_probe_is_silent_without_tcm():
    runner_ = SimpleNamespace(
        model=SimpleNamespace(head=SimpleNamespace(guidance=None)),
        message_hub=MessageHub("silent"),
    )
    probe = CompilationProbeHook()
    probe.before_train(runner_)
    probe.after_train_iter(runner_, 0, dict(data_samples=list(_Samples())))
    assert not runner_.message_hub.log_scalars
