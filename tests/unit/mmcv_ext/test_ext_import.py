"""mmdet imports on the provider, a missing operator says so, a compiled mmcv wins."""

import importlib.machinery
import importlib.util

import mmcv._ext as ext
import pytest
import torch


def test_mmdet_imports_all_its_models():
    # Fails at import on mmcv-lite without the provider: "No module named mmcv._ext".
    from mmdet.models import Mask2FormerVideo
    from mmdet.registry import MODELS

    assert MODELS.get("Mask2FormerVideo") is Mask2FormerVideo


def test_missing_operator_is_found_but_names_itself_when_called():
    from mmcv.ops import soft_nms

    assert hasattr(ext, "softnms")
    with pytest.raises(NotImplementedError, match=r"'softnms'.*compiled mmcv"):
        soft_nms(torch.zeros(1, 4), torch.zeros(1))


def test_private_attributes_are_not_operators():
    assert not hasattr(ext, "__path__")


def test_mmcv_reports_that_nothing_was_compiled():
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    assert "mmcv-ext-torch" in get_compiler_version()
    assert "mmcv-ext-torch" in get_compiling_cuda_version()


def test_compiled_extension_wins_over_the_provider(tmp_path):
    (tmp_path / "_ext.py").write_text("")
    finder = importlib.machinery.FileFinder(
        str(tmp_path), *importlib._bootstrap_external._get_supported_file_loaders()
    )
    assert finder.find_spec("_ext").origin.endswith("_ext.py")
    compiled = "_ext" + importlib.machinery.EXTENSION_SUFFIXES[0]
    (tmp_path / compiled).write_bytes(b"")
    finder.invalidate_caches()
    assert finder.find_spec("_ext").origin.endswith(compiled)
