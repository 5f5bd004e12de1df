"""Bars move on a terminal and write seldom into a log."""

import io
import sys

import pytest

from tmt_vis.progress import LOG_INTERVAL, progress_bar


@pytest.mark.parametrize("terminal, interval", [(True, 0.1), (False, LOG_INTERVAL)])
def test_a_log_gets_few_lines(monkeypatch, terminal, interval):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with progress_bar(total=2) as bar:
        assert bar.mininterval == interval
