"""Each check of tools/doctor.py, on a healthy and on an unhealthy input."""

import importlib.machinery
import sys

import pytest

TESTED = {
    "torch": "2.12.1",
    "torchvision": "0.27.1+cpu",
    "mmengine": "0.10.7",
    "mmcv-lite": "2.1.0",
    "onedl-mmdetection": "3.5.1",
}


@pytest.fixture(scope="module")
def doctor(load_tool):
    return load_tool("doctor")


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 9), "broken"), ((3, 10), "ok"), ((3, 12), "ok"), ((3, 13), "broken")],
)
def test_python(doctor, version, status):
    assert doctor.check_python(version).status == status


@pytest.mark.parametrize("name", ["torch", "torchvision", "mmengine", "mmcv", "mmdet"])
def test_tested_and_forked_distributions_are_fine(doctor, name):
    assert doctor.check_distribution(name, TESTED).status == "ok"


@pytest.mark.parametrize(
    ("installed", "status", "text"),
    [
        ({}, "broken", "not installed"),
        ({"mmcv": "2.2.0"}, "warning", "tested with mmcv 2.1.0"),
        (
            {"mmcv": "2.1.0", "mmcv-lite": "2.1.0"},
            "broken",
            "pip uninstall mmcv mmcv-lite",
        ),
        ({"onedl-mmcv": "2.3.6", "mmcv": "2.1.0"}, "broken", "overwrite each other"),
    ],
)
def test_unhealthy_distributions(doctor, installed, status, text):
    finding = doctor.check_distribution("mmcv", installed)
    assert finding.status == status and finding.remedy and text in str(finding)


def test_torch_and_torchvision_of_this_environment(doctor):
    assert doctor.check_torchvision().status == "ok"


def test_torchvision_of_another_build_is_found_by_calling_it(doctor, monkeypatch):
    import torchvision

    def nms(*args):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(torchvision.ops, "nms", nms)
    finding = doctor.check_torchvision()
    assert finding.status == "broken" and "nms does not exist" in finding.detail


def test_mmcv_operators(doctor):
    compiled = "/x/mmcv/_ext" + importlib.machinery.EXTENSION_SUFFIXES[0]
    assert "compiled" in doctor.check_mmcv_ops(compiled).detail
    assert "mmcv-ext-torch" in doctor.check_mmcv_ops("/x/mmcv/_ext.py").detail
    missing = doctor.check_mmcv_ops(None)
    assert missing.status == "broken" and "mmcv_ext" in missing.remedy


def test_mmcv_operators_are_found_where_python_imports_them(doctor):
    import mmcv._ext

    assert doctor.find_mmcv_ops() == mmcv._ext.__file__


def test_imports(doctor, tmp_path, monkeypatch):
    (tmp_path / "guarded_module.py").write_text("assert False, 'version too new'")
    monkeypatch.syspath_prepend(tmp_path)
    broken = doctor.check_import("guarded_module", "install another")
    assert broken.status == "broken" and "version too new" in str(broken)
    assert doctor.check_import("json", "").status == "ok"


def test_mim(doctor):
    assert doctor.check_mim(True).status == "ok"
    assert "setuptools<82" in doctor.check_mim(False).remedy


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, "warning"),
        ({"LD_PRELOAD": "/usr/lib/libtcmalloc.so.4"}, "ok"),
        ({"LD_PRELOAD": "/usr/lib/libother.so"}, "warning"),
        ({"MALLOC_MMAP_THRESHOLD_": "4294967296"}, "ok"),
        ({"MALLOC_MMAP_THRESHOLD_": "131072"}, "warning"),
    ],
)
def test_allocator(doctor, environ, status):
    finding = doctor.check_allocator(environ)
    assert finding.status == status
    assert bool(finding.remedy) == (status == "warning")


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, "ok"),
        ({"OMP_NUM_THREADS": "4"}, "ok"),
        ({"OMP_NUM_THREADS": "5"}, "warning"),
    ],
)
def test_threads(doctor, environ, status):
    assert doctor.check_threads(environ, 4).status == status


@pytest.mark.parametrize(
    ("cpuinfo", "detail"),
    [
        ("flags : fpu avx2 avx512f avx512_bf16 sse", "avx512_bf16"),
        ("flags : amx_tile amx_bf16 avx512_bf16", "amx_bf16, avx512_bf16"),
        ("Features : fp asimd bf16", "bf16"),
        ("flags : fpu avx2 avx512f avx512_vnni", "no instructions"),
        ("", "cannot tell"),
    ],
)
def test_bfloat16(doctor, cpuinfo, detail):
    finding = doctor.check_bfloat16(cpuinfo)
    assert finding.status == "ok" and finding.detail.startswith(detail)


def test_text_embeddings(doctor, tmp_path):
    assert doctor.count_embeddings([tmp_path]).status == "warning"
    (tmp_path / "encoder-01234567.npz").touch()
    finding = doctor.count_embeddings([tmp_path])
    assert finding.status == "ok" and "1 file(s): encoder-01234567" in finding.detail


def test_package_is_looked_for_from_another_folder(doctor, tmp_path, monkeypatch):
    # A package in the current folder is no help: mim starts elsewhere.
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "only_here.py").touch()
    monkeypatch.chdir(tmp_path / "here")
    assert doctor.check_installed(str(tmp_path), "only_here").status == "broken"
    assert doctor.check_installed(str(tmp_path), "json").status == "ok"
    finding = doctor.check_installed(str(tmp_path), "no_such_package")
    assert finding.status == "broken" and "pip install -e ." in finding.remedy
    assert "No module named 'no_such_package'" in finding.detail


@pytest.mark.parametrize(("status", "code"), [("warning", 0), ("broken", 1)])
def test_exit_code_and_report(doctor, monkeypatch, capsys, status, code):
    findings = [
        doctor.Finding("a", "ok", "fine"),
        doctor.Finding("b", status, "bad", "do this"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert doctor.main([]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "a", "fine"]
    assert lines[1].split() == [status, "b", "bad"] and lines[2].endswith("-> do this")


def test_doctor_needs_no_third_party_package(repo_root):
    import subprocess

    script = repo_root / "tools" / "doctor.py"
    # -S -E: no site-packages, no PYTHONPATH.
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='x')"
    subprocess.run([sys.executable, "-S", "-E", "-c", code], check=True, timeout=60)
