"""Errors, signals and numbers at the door of every tool."""

import os
import re
import signal
import sys

import pytest

from tmt_vis.command_line import (
    ToolParser,
    describe_error,
    integer,
    real,
    tool,
)
from tmt_vis.models import CheckpointTaxonomyError

RANGES = [
    (real(above=0), ["0.5", "1e3"], ["0", "-1", "nan", "inf", "-inf", "x", ""]),
    (real(at_least=0, at_most=1), ["0", "1", ".3"], ["-0.1", "1.1", "nan", "1,0"]),
    (integer(at_least=1), ["1", "60"], ["0", "-5", "1.5", "nan", "many"]),
    (integer(at_least=0), ["0"], ["-1"]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), RANGES)
def test_numbers_have_a_range(kind, good, bad, capsys):
    parser = ToolParser()
    parser.add_argument("--number", type=kind)
    for text in good:
        assert parser.parse_args(["--number", text]).number == float(text)
    for text in bad:
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args([f"--number={text}"])
        said = capsys.readouterr().err
        assert re.fullmatch(r"error: argument --number: must be an? .*, got .*\n", said)
        assert f"got {text!r} (--help" in said


@pytest.mark.parametrize(
    "words",
    [
        ["a.json", "--json", "a.json"],
        ["a.json", "--json", "./x/../a.json"],
        ["b.json", "--json", "c.json", "--plot", "c.json"],
        ["b.json", "--json", "c.json", "--results", "r.json", "c.json"],
    ],
)
def test_an_output_is_no_input(words, capsys):
    parser = ToolParser(outputs=("json", "plot"))
    parser.add_argument("ann")
    parser.add_argument("--json")
    parser.add_argument("--plot")
    parser.add_argument("--results", nargs=2)
    assert parser.parse_args(["a", "--json", "b", "--results", "c", "d"]).json == "b"
    assert parser.parse_args(["a"]).json is None
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    said = capsys.readouterr().err
    assert "would be replaced; name a new file" in said and said.count("\n") == 1


def raising(error, **options):
    @tool(**options)
    def main(argv=None):
        raise error

    return main


ERRORS = [
    (ValueError("two\n  lines"), "two lines"),
    (CheckpointTaxonomyError("of ovis"), "of ovis"),
    (ImportError("pip install x"), "pip install x"),
    (OSError(28, "No space left on device", "a.mp4"), "a.mp4: No space left on device"),
    (OSError("the disk"), "the disk"),
    (ValueError("a\x1b]0;b\x07"), "a\\x1b]0;b\\x07"),
    (KeyError("Foo is not registered"), r"KeyError: Foo is not registered (test_"),
    (AttributeError("None has no x"), "AttributeError: None has no x (test_"),
    (AssertionError(), "AssertionError (test_"),
    (MemoryError(), "MemoryError (test_"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_is_one_line(error, text, capsys):
    assert raising(error)([]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {text}")
    assert printed.err.count("\n") == 1
    assert ("--debug" in printed.err) == text.endswith("(test_")


def test_debug_shows_the_traceback(capsys):
    assert raising(ValueError("wrong"))(["--debug"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback") and lines[-1] == "error: wrong"


def test_status_of_a_tool():
    assert tool(lambda argv: None)([]) == 0
    assert tool(lambda argv: 1)([]) == 1


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)],
)
def test_signals_unwind(number, status, capsys):
    cleaned = []

    @tool(interrupted="--resume goes on")
    def main(argv=None):
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            cleaned.append(True)

    before = signal.getsignal(number)
    assert main([]) == status
    assert cleaned and signal.getsignal(number) == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith("; --resume goes on\n")
    assert number == signal.SIGINT or number.name in said


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert tool(lambda argv: os.kill(os.getpid(), signal.SIGHUP))([]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_closed_pipe_is_no_error(tmp_path, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert tool(lambda argv: print("x", flush=True))([]) == 141


def test_text_for_a_terminal():
    assert describe_error(ValueError("ü 猫")) == "ü 猫"
