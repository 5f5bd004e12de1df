"""Runs are done once, kept, and go on after an interruption."""

import fcntl
import json
import sys

import pytest

from experiments.miniature import __main__ as cli
from experiments.miniature import runner
from experiments.miniature.grid import Setting
from experiments.miniature.runs import Run

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
    for _ in range(2):
        outcome = runner.work_through(todo, root=tmp_path, jobs=2, budget=100)
        assert not outcome.failed and not outcome.left
    assert [_attempts(run) for run in todo] == [1, 1, 1]
    assert "[3] tmt_YOU seed 2" in capsys.readouterr().out


def test_a_failure_is_shown_and_the_others_go_on(runs, tmp_path, capsys):
    todo = runs(fails=True)
    outcome = runner.work_through(todo, root=tmp_path, jobs=1, budget=100)
    assert [run.seed for run in outcome.failed] == [1]
    assert [run.seed for run in outcome.finished] == [0, 2]
    assert "out of luck" in capsys.readouterr().out
    runner.work_through(todo, root=tmp_path, jobs=1, budget=100)
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
            runner.work_through(runs(), root=tmp_path, jobs=1, budget=100)


def test_blocks_of_a_document_are_renewed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end -->\nb\n")
    cli.renew_blocks(page, {"x": "new"})
    assert page.read_text() == "a\n<!-- x -->\nnew\n<!-- end -->\nb\n"
    page.write_text("<!-- y -->\n<!-- end -->\n")
    with pytest.raises(KeyError, match="a block 'y'"):
        cli.renew_blocks(page, {"x": "new"})


def test_losses_of_all_attempts_make_one_curve(tmp_path):
    from experiments.miniature.worker import _curves

    for stamp, steps in (("1", (10, 20)), ("2", (20, 30))):
        folder = tmp_path / stamp / "vis_data"
        folder.mkdir(parents=True)
        lines = [json.dumps(dict(step=s, loss=s + int(stamp))) for s in steps]
        (folder / "scalars.json").write_text("\n".join(lines))
    assert _curves(tmp_path) == {"step": [10, 20, 30], "loss": [11, 22, 32]}
