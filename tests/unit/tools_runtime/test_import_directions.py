"""Packages import downwards only: the contracts of pyproject.toml hold."""

import pytest

importlinter = pytest.importorskip("importlinter", reason="requirements/dev.txt")


def test_import_contracts(repo_root, capsys):
    from importlinter import cli

    failed = cli.lint_imports(
        config_filename=str(repo_root / "pyproject.toml"), no_cache=True
    )
    assert not failed, capsys.readouterr().out
