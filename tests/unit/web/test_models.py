"""Which models the page offers, and how it is started."""

from pathlib import Path

import pytest
from helpers.tiny_web import FIXED, TEXT, TinyShelf
from mmengine.config import Config

from tmt_vis.model_zoo import NamedModel
from tmt_vis.web import WebError, choices_of


def test_titles_are_names_of_configs():
    choices = choices_of(["a/m.py", "b/m.py", "n.py"], ["1.pth", "2.pth", "3.pth"])
    assert [choice.title for choice in choices] == ["m", "m (2)", "n"]
    assert choices[1].checkpoint == "2.pth"


def test_released_models_have_names_of_their_own():
    named = [NamedModel("m", Config(), Path("m.pth"))]
    choices = choices_of(["a/m.py"], ["1.pth"], named)
    assert [(c.title, c.checkpoint) for c in choices] == [
        ("m", Path("m.pth")),
        ("m (2)", "1.pth"),
    ]
    assert len(choices_of([], [], named)) == 1


@pytest.mark.parametrize(("configs", "checkpoints"), [([], []), (["a.py"], [])])
def test_a_model_is_a_config_and_a_checkpoint(configs, checkpoints):
    with pytest.raises(WebError, match="--config and --checkpoint as often"):
        choices_of(configs, checkpoints)


def test_a_model_is_loaded_once():
    shelf = TinyShelf()
    assert shelf.titles == (TEXT, FIXED)
    assert shelf.get(TEXT) is shelf.get(TEXT)
    with pytest.raises(WebError, match="the models are text model, fixed model"):
        shelf.get("another")


def test_the_tool_says_what_is_missing(load_tool, capsys, monkeypatch):
    tool = load_tool("web")
    assert tool.main(["--config", "a.py"]) == 1
    assert "got 1 and 0" in capsys.readouterr().err
    monkeypatch.setattr(tool.importlib.util, "find_spec", lambda name: None)
    assert tool.main([]) == 1
    assert "pip install -r requirements/web.txt" in capsys.readouterr().err


def test_the_sample_video_is_within_the_limits(repo_root):
    from tmt_vis.web import Limits, open_checked

    path = repo_root / "data" / "samples" / "sprites.mp4"
    assert open_checked(path, Limits()).num_frames == 24
    assert path.stat().st_size < 100_000


def test_without_arguments_the_shipped_model_is_offered(load_tool, monkeypatch):
    from tmt_vis.web import server

    tool, offered = load_tool("web"), []
    monkeypatch.setattr(server, "serve", lambda shelf, **_: offered.append(shelf))
    assert tool.main(["--port", "0"]) == 0
    assert offered[0].titles == (tool.SHIPPED_MODEL,)
    find = offered[0].get(tool.SHIPPED_MODEL)
    assert find.label_spaces == ("ytvis19", "ovis", "uvo")
