"""The command: arguments in, summary out, errors without a traceback."""

import cv2
import pytest

SMALL = [
    "--videos",
    "1",
    "--val-videos",
    "1",
    "--size",
    "40x56",
    "--frames",
    "2",
    "--classes",
    "2",
]


@pytest.fixture
def run(load_tool, monkeypatch):
    tool = load_tool("make_sprite_vis")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["make_sprite_vis.py", *map(str, arguments)])
        tool.main()

    return run


def test_summary_and_contact_sheet(run, tmp_path, capsys):
    sheet = tmp_path / "pictures" / "sheet.png"
    run("--out", tmp_path / "out", *SMALL, "--contact-sheet", sheet)
    text, progress = capsys.readouterr()
    rows = [line.split() for line in text.splitlines() if " train " in line]
    assert [row[0] for row in rows] == ["ytvis19", "ovis", "uvo"]
    assert all(row[2:4] == ["1", "2"] for row in rows)  # videos, frames
    assert "ytvis19: person*, dog*" in text
    assert "uvo val" in progress
    # three datasets, one video each, four samples of two frames enlarged twice
    assert cv2.imread(str(sheet)).shape == (3 * (2 * 40 + 6), 4 * (2 * 56 + 6), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "96"), "must be HEIGHTxWIDTH"),
        (("--datasets", "coco"), "invalid choice"),
        (("--classes", "unicorn"), "unicorn"),
        (("--frames", "0"), "frames must be at least 1"),
        (("--distractors", "inf"), "distractors must be finite"),
        (("--tail", "nan"), "tail must be finite"),
        (("--contact-sheet", "tests"), "must be a new .png file, got 'tests'"),
        (("--contact-sheet", __file__), "must be a new .png file"),
    ],
)
def test_errors_say_what_is_wrong(run, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        run("--out", tmp_path / "out", *SMALL, *arguments)
    text = f"{stopped.value}{capsys.readouterr().err}"
    assert message in text and "usage:" not in text
    assert not (tmp_path / "out").exists()
