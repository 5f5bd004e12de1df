"""The Triton kernels equal the reference: interpreted, compiled, on a GPU."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from helpers import triton_interpreter as cases

from tmt_vis import ops
from tmt_vis.ops import LevelLayout, deform_attention_triton
from tmt_vis.ops import deform_sampling_triton as module

SIZES = ((1, 3), (4, 2))
needs_triton = pytest.mark.skipif(not find_spec("triton"), reason="needs triton")


def interpret(*names):
    """Run cases of the helper in one process."""
    environment = dict(os.environ, TRITON_INTERPRET="1")
    command = [sys.executable, cases.__file__, *names]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def interpreted():
    return interpret("odd", "blocks", "bfloat16", "outside")


@needs_triton
@pytest.mark.parametrize("case", ["odd", "blocks"])
def test_values_and_gradients_equal_the_reference(interpreted, case):
    assert list(interpreted[case]) == list(cases.NAMES)
    assert all(error < 3e-6 for error in interpreted[case].values())


def check_half(errors, bits, *, bits_of_out=None):
    """Results are rounded once, to so many bits; what is float32 is not at all."""
    assert errors["out"] < 1.05 * 2 ** -(bits_of_out or bits)
    assert errors["value"] < 1.05 * 2**-bits
    assert all(errors[name] < 3e-6 for name in ("x", "y", "weights"))


@needs_triton
def test_bfloat16_is_summed_in_float32(interpreted):
    # Where a GPU rounds, the interpreter cuts the last bits off.
    check_half(interpreted["bfloat16"], 8, bits_of_out=7)


@needs_triton
def test_nothing_outside_of_a_level_is_seen(interpreted):
    assert interpreted["outside"] == dict.fromkeys(cases.NAMES, 0)


@needs_triton
@pytest.mark.slow
def test_sizes_of_the_model_wide_heads_and_float16():
    results = interpret("model", "wide", "float16")
    check_half(results.pop("float16"), 11)
    for errors in results.values():
        assert all(error < 3e-6 for error in errors.values())


@needs_triton
@pytest.mark.slow
def test_frames_begin_behind_2_to_the_31():
    """6.4 GB of addresses, of which some kB are touched."""
    assert interpret("many_frames")["many_frames"]["frames"] == [0, 0, 2.25]


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("backward", [False, True])
def test_it_compiles_for_gpus(backward, arch, dtype, tmp_path, monkeypatch):
    """To machine code, with the ptxas of triton; it needs no GPU."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernels = module._kernels()
    kernel = kernels.attend_backward_kernel if backward else kernels.attend_kernel
    warps = module._BACKWARD_WARPS if backward else module._FORWARD_WARPS
    layout = LevelLayout(((1, 1),) * 3, 8, 4, torch.device("cpu"))
    constants = module._constants(32, layout, warps=warps)
    types = dict.fromkeys(kernel.arg_names, "*fp32")
    types |= dict.fromkeys(("value", "out", "grad"), f"*{dtype}") | {"levels": "*i32"}
    types |= dict.fromkeys(("num_pixels", "num_queries"), "i32")
    types |= dict.fromkeys(constants, "constexpr")
    types = {name: types[name] for name in kernel.arg_names}
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, kind in enumerate(types.values())
        if kind.startswith("*")
    }
    source = ASTSource(kernel, types, constexprs=constants, attrs=aligned)
    compiled = triton.compile(
        source, target=GPUTarget("cuda", arch, 32), options=dict(num_warps=warps)
    )
    ptx = compiled.asm["ptx"]
    assert len(compiled.asm["cubin"]) > 1000 and f".target sm_{arch}" in ptx
    assert "ld.global.v4.b32" in ptx, "pixels are read 16 bytes at a time"
    assert "bar.sync" not in ptx, "no thread waits for another one"
    assert ("atom.global" in ptx) == backward


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dim", [3, 32])
def test_a_gpu_gives_the_same(dtype, dim):
    options = dict(heads=8, dim=dim, points=4, queries=75, frames=3, device="cuda")
    errors = cases.errors(ops, ((2, 3), (3, 5), (6, 10)), dtype=dtype, **options)
    if dtype == torch.float32:
        assert all(error < 1e-5 for error in errors.values())
    else:
        check_half(errors, 8 if dtype == torch.bfloat16 else 11)


@pytest.mark.gpu
def test_a_step_waits_for_nothing():
    options = dict(heads=2, dim=4, points=2, queries=9, frames=2, device="cuda")
    inputs = cases.make_inputs(SIZES, dtype=torch.float32, **options)
    layout = LevelLayout(SIZES, 2, 2, inputs[0].device)
    cases.results(deform_attention_triton, inputs, layout)  # compiles, makes tables
    torch.cuda.set_sync_debug_mode("error")
    try:
        cases.results(deform_attention_triton, inputs, layout)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def call(**changes):
    tensors = dict(
        value=torch.zeros(1, 11, 2, 4),
        **{name: torch.zeros(1, 5, 8) for name in ("x", "y", "weights")},
    )
    layout = LevelLayout(SIZES, 2, 2, torch.device("cpu"))
    return deform_attention_triton(**(tensors | changes), layout=layout)


def test_a_cpu_tensor_is_refused(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(ValueError, match="CUDA device, got cpu; use deform_attention"):
        call()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(value=torch.zeros(1, 11, 2, 4).double()), "got torch.float64"),
        (dict(value=torch.zeros(1, 12, 2, 4)), r"\(B, 11, 2, D\).*got \(1, 12, 2, 4\)"),
        (dict(y=torch.zeros(1, 5, 7)), r"y must be .* = \(1, 5, 8\), got \(1, 5, 7\)"),
        (dict(weights=torch.zeros(2, 5, 8)), r"weights must be .* got \(2, 5, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(monkeypatch, changes, message):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with pytest.raises(ValueError, match=message):
        call(**changes)


def test_a_missing_triton_is_named(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(
        sys.modules, "tmt_vis.ops.deform_sampling_kernels", raising=False
    )
    monkeypatch.delattr(ops, "deform_sampling_kernels", raising=False)
    with pytest.raises(ImportError, match="needs triton.*sampling='auto'"):
        call()
