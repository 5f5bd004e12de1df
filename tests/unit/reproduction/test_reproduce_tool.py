"""tools/reproduce.py from a released file to a verdict, in miniature."""

import json
import re
import shutil

import pytest
import torch
from helpers.tiny_published import (
    FOLDER,
    make_truth,
    withhold,
    write_config,
    write_released_file,
    write_table,
)
from helpers.tiny_run import make_sprites
from helpers.two_ranks import run_two_ranks


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("reproduce")


class Place:
    """Where everything lies, and the command line that says so."""

    def __init__(self, root, tool):
        self.root, self.tool = root, tool
        self.data = make_sprites(root)
        self.annotations = self.data / FOLDER / "valid.json"
        self.file, self.weights = write_released_file(root)
        self.config = write_config(root / "tiny_config.py")

    def table(self, *, labels="ytvis19", **published):
        file = dict(
            url=self.file.as_uri(),
            hash="sha256",
            layout="mmdet-mask2former-vis",
            labels=labels,
        )
        rows = [
            dict(name=name, checkpoint=file, published=dict(ytvis19=numbers))
            for name, numbers in published.items()
        ]
        return write_table(self.root / "table.yml", self.config, *rows)

    def run(self, name, *extra, data=None, download=False):
        return self.tool.main(
            [
                name,
                f"--table={self.root / 'table.yml'}",
                f"--data-root={data or self.data}",
                f"--work-dir={self.root / name}",
                f"--download-dir={self.root / 'downloads'}",
                *([] if download else [f"--checkpoint={self.file}"]),
                *extra,
            ]
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory, tool):
    """Data whose ground truth is what the released model finds, so its AP is 100."""
    place = Place(tmp_path_factory.mktemp("zoo"), tool)
    withhold(place.annotations)
    place.table(withheld=[46.4])
    assert place.run("withheld") == 0
    submission = place.root / "withheld" / "submissions" / "ytvis19.zip"
    place.num_tracks = make_truth(place.annotations, submission)
    return place


def test_withheld_ground_truth_gives_a_submission(place):
    # Three tracks for each of three videos: the limit is that of the table.
    assert 0 < place.num_tracks <= 9
    record = json.loads((place.root / "withheld" / "reproduction.json").read_text())
    assert record["comparisons"] == [] and list(record["submissions"]) == ["ytvis19"]


def test_a_number_within_its_tolerance(place, capsys):
    place.table(right=[99.5, 100.0])
    assert place.run("right", download=True) == 1
    assert "CC BY-NC (https://cc.invalid)" in (error := capsys.readouterr().err)
    assert "--accept-license" in error and not (place.root / "downloads").exists()
    assert place.run("right", "--accept-license", download=True) == 0
    assert (place.root / "downloads" / place.file.name).exists()
    printed = capsys.readouterr().out
    assert "as that of the released file" in printed
    assert "ytvis19  AP           99.5     100.0        +0.5        1.0" in printed
    assert "verified here:\n  - what was checked\n" in printed
    assert "NOT verified here:\n  - the AP\n" in printed
    assert "ignored: " in printed and "classifier: 40 rows of ytvis19 copied" in printed
    record = json.loads((place.root / "right" / "reproduction.json").read_text())
    ap, ap50 = record["comparisons"]
    assert ap["within"] is True and ap["measured"] == pytest.approx(100.0)
    assert ap50["within"] is None and ap50["tolerance"] is None
    assert len(record["checkpoint"]["sha256"]) == 64
    assert record["settings"] == dict(scale=[64, 64], backend="pillow", tracks=3)


def test_two_processes_share_the_test(place):
    place.table(shared=[99.5])
    options = ["--launcher=pytorch", "--device=cpu"]

    def main():
        status = place.run("shared", *options)
        assert status == 0, status

    assert run_two_ranks(main) == ["done", "done"]
    record = json.loads((place.root / "shared" / "reproduction.json").read_text())
    assert record["comparisons"][0]["measured"] == pytest.approx(100.0)


def test_two_processes_end_with_the_error_of_the_first(place, tmp_path):
    place.table(shared=[99.5])
    options = ["--launcher=pytorch", f"--checkpoint={tmp_path / 'none.pth'}"]

    def main():
        assert place.run("shared", *options) == 1

    assert run_two_ranks(main) == ["done", "done"]


def test_a_number_outside_of_its_tolerance(place, capsys):
    place.table(wrong=[98.5, 100.0])
    assert place.run("wrong") == 1
    assert capsys.readouterr().out.count("  NO\n") == 1


def test_what_is_tested_are_the_weights_of_the_file(place):
    converted = torch.load(place.root / "withheld" / "converted.pth", weights_only=True)
    for key, value in place.weights.items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(converted["state_dict"][key], value), key


def test_a_checkpoint_of_this_project_is_not_converted(place, capsys):
    place.table(right=[99.5])
    own = place.root / "own.pth"
    shutil.copy(place.root / "withheld" / "converted.pth", own)
    assert place.run("right", f"--checkpoint={own}") == 0
    assert "own.pth: a checkpoint of this project" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda w: w.pop("track_head.level_embed.weight"), "lacks 1 of"),
        (lambda w: w.update(extra=torch.zeros(1)), "have no place"),
        (
            lambda w: w.update({"backbone.extra": torch.zeros(1)}),
            r"no place in the model of the config, e\.g\. backbone\.extra",
        ),
        (
            lambda w: w.update({"backbone.conv1.weight": torch.zeros(1)}),
            r"does not fit the config's model.*backbone\.conv1\.weight",
        ),
        (
            lambda w: w.pop("backbone.layer1.0.conv1.weight"),
            r"lacks 1 of.*backbone\.layer1\.0\.conv1\.weight",
        ),
    ],
)
def test_half_a_model_is_not_tested(place, tmp_path, capsys, change, message):
    content = torch.load(place.file, weights_only=True)
    change(content["state_dict"])
    broken = tmp_path / "broken.pth"
    torch.save(content, broken)
    place.table(right=[99.5])
    assert place.run("right", f"--checkpoint={broken}") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert re.search(message, error), error


def test_a_file_of_other_weights_or_categories(place, tmp_path, capsys):
    other = tmp_path / "other.pth"
    content = torch.load(place.file, weights_only=True)
    torch.save(dict(content, comment="another file"), other)
    place.table(right=[99.5])
    assert place.run("right", f"--checkpoint={other}") == 0
    assert "NOT the released file: its sha256" in capsys.readouterr().out
    place.table(labels="ytvis21", right=[99.5])
    assert place.run("right") == 1
    assert "no classifier rows for ape, hand" in (error := capsys.readouterr().err)
    assert "it was trained on ytvis21; right needs another file" in error


def test_dry_run_does_nothing(place, tmp_path, capsys):
    place.table(right=[99.5])
    work = tmp_path / "work"
    assert place.run("right", "--dry-run", f"--work-dir={work}") == 0
    printed = capsys.readouterr().out
    assert "1. data: found" in printed and "scale (64, 64), backend pillow" in printed
    assert not work.exists()
    assert place.run("right", "--dry-run", data=tmp_path) == 0
    assert "valid.json, which does not exist" in capsys.readouterr().out


def test_errors_name_the_remedy(place, tmp_path, capsys):
    place.table(right=[99.5])
    for arguments, data, message in (
        (["rihgt"], None, "similar ones are right; --list"),
        (["right"], tmp_path, "--data-root"),
        (["right", "--datasets", "ovis"], None, "numbers for ytvis19, not for ovis"),
        (["right", f"--checkpoint={tmp_path}/none.pth"], None, "no checkpoint at"),
        (["right", "--device=cuda"], None, "finds no GPU"),
    ):
        if "--device=cuda" in arguments and torch.cuda.is_available():
            continue
        assert place.run(*arguments, data=data) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_without_public_weights_the_training_is_named(place, tool, capsys):
    rows = dict(name="ours", published=dict(ytvis19=[49.7]), options=["max_iters=5"])
    table = write_table(place.root / "table.yml", place.config, rows)
    common = [f"--table={table}", f"--data-root={place.data}"]
    assert tool.main(["ours", *common]) == 1
    error = capsys.readouterr().err
    assert "mim train mmdet" in error and "--checkpoint FILE" in error
    assert "--cfg-options max_iters=5" in error and error.count("\n") == 1
    assert tool.main(["--list", *common]) == 0
    assert "to train" in capsys.readouterr().out
