"""A config that is none is named in one line."""

import pytest

from tmt_vis.command_line import ToolParser
from tmt_vis.engine import CfgOptions, ConfigError, read_config


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("model = (", None, r"c\.py is no Python, line 1: '\(' was never closed"),
        ("x = 1\n  y = 2", None, r"c\.py is no Python, line 2: unexpected indent"),
        ("x = 1", None, r"c\.py has no model=dict\(\.\.\.\), got the keys \['x'\]"),
        ("model = 'TMTVIS'", None, "has no model=dict"),
        ("x = undefined", None, "NameError: name 'undefined'"),
        ("_base_ = './none.py'", None, "none.py"),
        ("custom_imports = dict(imports=['no_such_module'])", None, "no_such_module"),
        (
            "model = dict(a=1)",
            {"model.a.b": 2},
            "no place for --cfg-options model.a.b=2",
        ),
        ("model = dict(a=[1])", {"model.a.7": 2}, "no place .* model.a.7=2"),
        ("model = dict(a=[1])", {"model.a.x": 2}, "no place .* model.a.x=2"),
    ],
)
def test_what_is_wrong_is_said(text, options, message, tmp_path):
    path = tmp_path / "c.py"
    path.write_text(text)
    with pytest.raises((ConfigError, FileNotFoundError), match=message):
        read_config(path, options)


def test_options_are_applied(tmp_path):
    (tmp_path / "c.py").write_text("model = dict(a=[dict(x=1)])")
    cfg = read_config(tmp_path / "c.py", {"model.a.0.x": 3, "model.b.c": 4})
    assert cfg.model.to_dict() == {"a": [{"x": 3}], "b": {"c": 4}}


@pytest.mark.parametrize("word", ["x", "=1", "x=[1,2"])
def test_options_that_are_none(word, capsys):
    parser = ToolParser()
    parser.add_argument("--cfg-options", nargs="+", action=CfgOptions)
    words = ["--cfg-options", "a=1", "b.c=[1,2]"]
    assert parser.parse_args(words).cfg_options == {"a": 1, "b.c": [1, 2]}
    with pytest.raises(SystemExit):
        parser.parse_args([*words, word])
    said = capsys.readouterr().err
    assert said.startswith("error: argument --cfg-options: ") and repr(word) in said


@pytest.mark.parametrize("order", [1, -1])
def test_options_belong_together(tmp_path, order):
    """Whether _delete_ comes first or last."""
    (tmp_path / "c.py").write_text("model = dict(type='A', head=dict(type='B', x=1))")
    options = {"model.head.type": "C", "model.head._delete_": True}
    cfg = read_config(tmp_path / "c.py", dict(list(options.items())[::order]))
    assert cfg.model.head == dict(type="C")
