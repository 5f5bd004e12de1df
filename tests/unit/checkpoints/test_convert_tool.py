"""tools/convert_checkpoint.py from the command line to a file others can load."""

import pickle
import re

import pytest
import torch
from helpers.foreign_checkpoints import tiny

from tmt_vis.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("convert_checkpoint")


@pytest.fixture
def pkl(tmp_path):
    """A detectron2 file with the names of Mask2Former-VIS R50."""
    path = tmp_path / "secret_folder" / "model_final.pkl"
    path.parent.mkdir()
    arrays = {key: value.numpy() for key, value in tiny(rows=81).items()}
    path.write_bytes(pickle.dumps({"model": arrays, "iteration": 9}))
    return path


def test_a_released_file(tool, pkl, tmp_path, capsys):
    out = tmp_path / "out.pth"
    tool.main([str(pkl), str(out), "--label-spaces", "ytvis19", "ovis", "uvo"])
    loaded = torch.load(out, weights_only=True)
    assert set(loaded) == {"meta", "state_dict"}
    state = loaded["state_dict"]
    assert len(state) == 558  # the reference's 557, and the taxonomy
    assert all(key.startswith(("backbone.", "head.")) for key in state)
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ovis", "uvo"])
    assert (
        len(state["head.query_decoder.cls_embed.bias"])
        == taxonomy.num_categories + 1
        == 105
    )
    source = loaded["meta"]["source"]
    assert source["architecture"] == "mask2former"
    assert source["file"] == "model_final.pkl" and len(source["sha256"]) == 64
    assert loaded["meta"]["label_spaces"] == ["ytvis19", "ovis", "uvo"]
    assert len(loaded["meta"]["classifier"]["missing"]) == 24
    assert "secret_folder" not in str(loaded["meta"])
    printed = capsys.readouterr().out
    assert "ignored: criterion.empty_weight\n" in printed
    assert "besides the weights: iteration\n" in printed
    assert "80 rows of coco copied" in printed and "sedan = car" in printed
    assert "24 missing in the source, random: giant_panda, lizard" in printed


def test_the_same_file_gives_the_same_bytes(tool, pkl, tmp_path):
    outs = [tmp_path / name / "out.pth" for name in "ab"]
    for out in outs:
        tool.main([str(pkl), str(out)])
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_tensor_is_saved_without_what_it_is_a_view_of(tool, tmp_path):
    source, out = tmp_path / "big.pth", tmp_path / "out.pth"
    weights = tiny()
    shared = torch.zeros(100_000)
    key = "sem_seg_head.predictor.query_feat.weight"
    weights[key] = shared[:8].view(2, 4)
    torch.save({"model": weights}, source)
    tool.main([str(source), str(out)])
    assert source.stat().st_size - out.stat().st_size > 300_000


def test_errors_name_file_and_remedy(tool, pkl, tmp_path, capsys):
    out = tmp_path / "out.pth"
    missing = tmp_path / "none.pkl"
    for words, text in [
        (
            [pkl, out, "--arch", "mmdet-mask2former"],
            r"model_final\.pkl: .*leave out -",
        ),
        ([pkl, out, "--label-spaces", "uvoo"], r"model_final\.pkl: .*uvoo"),
        ([missing, out], "no checkpoint at"),
        ([pkl, pkl], "is the source"),
    ]:
        assert tool.main([*map(str, words)]) == 1
        assert re.fullmatch(f"error: .*{text}.*\n", capsys.readouterr().err)
    assert not out.exists()
    assert pickle.loads(pkl.read_bytes())["iteration"] == 9


def test_two_video_label_spaces_are_not_guessed(tool, tmp_path, capsys):
    path, out = tmp_path / "m.pth", tmp_path / "out.pth"
    torch.save({"model": tiny(rows=41)}, path)
    assert tool.main([str(path), str(out), "--label-spaces", "ytvis21"]) == 1
    assert "--source-labels" in capsys.readouterr().err
    tool.main([str(path), str(out), "--source-labels", "ytvis21"])
    assert torch.load(out)["meta"]["label_spaces"] == ["ytvis21"]
