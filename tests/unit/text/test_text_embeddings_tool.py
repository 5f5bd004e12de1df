"""tools/text_embeddings.py from the command line's point of view."""

import json

import numpy as np
import pytest

from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import (
    TEXT_ENCODERS,
    HashTextEncoder,
    TextEmbeddings,
    build_text_embeddings,
    specs,
)

PRETEND = "pretend:256"


class PretendModelEncoder(HashTextEncoder):
    """An encoder whose vectors must come from a file, like a model's."""

    computes_on_the_fly = False

    def __init__(self, *, dim=256, checkpoint=None, allow_download=False):
        super().__init__(dim=dim)
        self.source = (checkpoint, allow_download)

    @property
    def identity(self):
        return f"pretend:{self.dim}"

    def provenance(self):
        return {"weights": repr(self.source)}


@pytest.fixture
def tool(load_tool, monkeypatch, tmp_path):
    monkeypatch.setitem(
        specs._SPECS, "pretend", ("PretendModelEncoder", (("dim", int),))
    )
    modules = TEXT_ENCODERS.module_dict
    monkeypatch.setitem(modules, "PretendModelEncoder", PretendModelEncoder)
    monkeypatch.setenv("TMT_VIS_CACHE", str(tmp_path / "cache"))
    return load_tool("text_embeddings")


def run(tool, *words) -> int:
    return tool.main([str(word) for word in words])


def test_it_makes_a_file_that_the_model_finds(tool, tmp_path, capsys):
    words = ["--label-spaces", "ovis", "uvo", "--encoder", PRETEND]
    assert run(tool, *words, "--checkpoint", "w.pt") == 0
    out, err = capsys.readouterr()
    assert "wrote" in out and "float16" in out and "encoded 91/91" not in out
    assert err.rstrip().endswith("prompts")
    (path,) = (tmp_path / "cache").glob("*.npz")
    made = TextEmbeddings.load(path)
    assert set(made.label_spaces) == {"ovis", "uvo"} and made.dim == 256
    assert made.made_with["weights"] == "('w.pt', False)"
    assert made.made_with["command"].endswith(
        f"--label-spaces ovis uvo --encoder {PRETEND} --checkpoint w.pt"
    )
    cfg = dict(encoder=dict(type="PretendModelEncoder", dim=256))
    taxonomy = Taxonomy.from_label_spaces(["uvo", "ovis"])
    assert build_text_embeddings(cfg, taxonomy).shape == (91, 256)


def test_what_is_there_is_not_made_again_unless_forced(tool, tmp_path, capsys):
    words = ["--label-spaces", "ovis", "--encoder", PRETEND, "--out", tmp_path / "o"]
    assert run(tool, *words) == 0
    assert "wrote" in capsys.readouterr().out
    assert run(tool, *words) == 0
    assert "all 25 prompts are there already" in capsys.readouterr().out
    assert run(tool, *words, "--force") == 0
    assert "wrote" in capsys.readouterr().out


def test_user_files_templates_and_neighbours(tool, tmp_path, capsys):
    path = tmp_path / "mine.json"
    row = {"source_id": 1, "name": "zebroid"}
    path.write_text(json.dumps({"name": "mine", "categories": [row]}))
    words = ["--label-spaces", "ovis", path, "--encoder", PRETEND, "--nearest", 1]
    assert run(tool, *words, "--template", "{}", "the {}", "--float32") == 0
    out = capsys.readouterr().out
    assert "26 union categories" in out
    assert any(line.split()[:2] == ["zebroid", "zebra"] for line in out.splitlines())
    (made,) = (tmp_path / "cache").glob("*.npz")
    with np.load(made) as arrays:
        assert arrays["vectors"].dtype == np.float32


def test_on_the_fly_encoders_need_no_file(tool, tmp_path, capsys):
    assert (
        run(tool, "--label-spaces", "ovis", "--encoder", "hash:32:0", "--nearest") == 0
    )
    assert "computed on the fly" in capsys.readouterr().out
    assert not (tmp_path / "cache").exists()


def test_list_shows_label_spaces_and_files(tool, capsys):
    assert run(tool, "--list") == 0
    out = capsys.readouterr().out
    assert "uvo" in out and "81 categories" in out
    assert "sentence_transformers:all-MiniLM-L6-v2, 215 prompts, width 384" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label-spaces", "ovsi", "--encoder", "hash:8:0", "--nearest"], "nearest"),
        (["--label-spaces", "ovis", "--encoder", "clip"], "must be written as one of"),
    ],
)
def test_errors_are_one_clear_line(tool, capsys, words, message):
    assert run(tool, *words) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and message in err


def test_something_must_be_asked(tool, capsys):
    with pytest.raises(SystemExit):
        run(tool, "--encoder", "hash:8:0")
    assert "give --label-spaces, or --list" in capsys.readouterr().err
