"""Deformable attention as a sparse product equals reading the levels one by one."""

from shutil import which

import pytest
import torch

from tmt_vis.ops import LevelLayout, deform_attention, deform_attention_reference
from tmt_vis.ops import deform_sampling as module

SIZES = ((1, 3), (5, 2), (4, 7))  # neither growing nor even
HEADS, DIM, POINTS, QUERIES = 2, 3, 2, 6


def make_inputs(dtype=torch.float64, batch=3):
    generator = torch.Generator().manual_seed(0)
    pixels = sum(height * width for height, width in SIZES)
    samples = HEADS * len(SIZES) * POINTS

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    value = randn(batch, pixels, HEADS, DIM)
    # Up to some pixels outside on every side, where zeros are read.
    x, y = (randn(2, batch, QUERIES, samples) * 4 + 2).unbind()
    return [t.requires_grad_() for t in (value, x, y, randn(batch, QUERIES, samples))]


def layout():
    return LevelLayout(SIZES, HEADS, POINTS, torch.device("cpu"))


def results(function, inputs, places):
    out = function(*inputs, places)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    grads = torch.autograd.grad((out * weights).sum(), inputs)
    return dict(zip(("out", "value", "x", "y", "weights"), (out, *grads), strict=True))


def test_values_and_gradients_equal_the_reference():
    inputs = make_inputs()
    assert inputs[1].min() < -3 and inputs[1].max() > 10
    fast = results(deform_attention, inputs, layout())
    slow = results(deform_attention_reference, inputs, SIZES)
    for name, expected in slow.items():
        torch.testing.assert_close(
            fast[name], expected, rtol=1e-12, atol=1e-12, msg=lambda m, n=name: n + m
        )


def test_nothing_outside_of_a_level_is_seen():
    """Positions far off read neither the next row nor the next level."""
    value, x, y, weights = make_inputs()
    for far in (-50.0, 50.0):
        moved = torch.full_like(x, far)
        assert deform_attention(value, moved, y, weights, layout()).abs().max() == 0
        assert deform_attention(value, x, moved, weights, layout()).abs().max() == 0


def test_frames_in_parts_equal_all_at_once(monkeypatch):
    inputs = make_inputs()
    at_once = results(deform_attention, inputs, layout())
    monkeypatch.setattr(module, "_SAMPLES_AT_ONCE", inputs[1][0].numel())
    calls = []
    spread = LevelLayout.spread
    monkeypatch.setattr(
        LevelLayout, "spread", lambda self, v: calls.append(len(v)) or spread(self, v)
    )
    in_parts = results(deform_attention, inputs, layout())
    assert calls[:3] == [1, 1, 1]
    for name, expected in at_once.items():
        torch.testing.assert_close(in_parts[name], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.bfloat16, 0.1), (torch.half, 0.01)])
def test_half_precision_is_computed_in_float32(dtype, atol):
    value, x, y, weights = make_inputs(dtype)
    # Positions stay in float32: 200.3 is 200 in bfloat16.
    x, y = x.float(), y.float()
    out = deform_attention(value, x, y, weights, layout())
    exact = [t.detach().double() for t in (value, x, y, weights)]
    assert out.dtype == dtype
    expected = deform_attention_reference(*exact, SIZES)
    torch.testing.assert_close(out.double(), expected, rtol=0.01, atol=atol)


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_the_bag_of_the_compiled_form_equals_the_reference(monkeypatch, at_once):
    """What ``torch.compile`` traces without gradients, run as it is."""
    monkeypatch.setattr(module, "_SAMPLES_AT_ONCE", at_once)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    calls, bag = [], module._attend_in_one_bag
    monkeypatch.setattr(
        module, "_attend_in_one_bag", lambda *args: calls.append(1) or bag(*args)
    )
    inputs = make_inputs()
    deform_attention(*inputs, layout())
    assert not calls, "it has no gradient"
    with torch.no_grad():
        fast = deform_attention(*inputs, layout())
        slow = deform_attention_reference(*inputs, SIZES)
    assert len(calls) == (3 if at_once == 1 else 1)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(not (which("g++") or which("clang++")), reason="no C++ compiler")
def test_it_compiles():
    inputs, places = make_inputs(torch.float32), layout()
    compiled = torch.compile(deform_attention, dynamic=False, fullgraph=True)
    with torch.no_grad():
        deform_attention(*inputs, places)  # its tables are made outside of the graph
        fast = compiled(*inputs, places)
    slow = deform_attention_reference(*inputs, SIZES)
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)
