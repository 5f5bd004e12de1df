"""The floor of a call: FLOPs and bytes over rates that were measured."""

import torch

from benchmarks.common import Options, Spec, compare
from benchmarks.floor import (
    Floor,
    Rates,
    count_flops,
    measure_rates,
    num_bytes,
    with_floor,
)

RATES = Rates(flops=240e12, bytes=3e12)


def test_flops_are_those_of_products_forward_and_backward():
    a, b = torch.zeros(3, 5, requires_grad=True), torch.zeros(5, 7, requires_grad=True)
    assert count_flops(lambda: a @ b) == 2 * 3 * 5 * 7
    assert count_flops(lambda: (a @ b).sum().backward()) == 3 * 2 * 3 * 5 * 7
    assert count_flops(lambda: a + 1) == 0
    assert num_bytes([a, b.half()]) == 4 * 15 + 2 * 35


def test_rates_are_those_of_the_fastest_call():
    now, calls = [0.0], []

    def clock():
        now[0] += (4, 1, 2, 1, 8)[len(calls) % 5] / 2
        calls.append(1)
        return now[0]

    # Start and end of five calls: the clock moves on by 0.5 at the end of the first.
    rates = measure_rates("cpu", torch.float32, Options.quick(), clock=clock)
    assert rates == Rates(flops=2 * 128**3 / 0.5, bytes=2 * 4 * 2**16 / 0.5)
    assert len(calls) == 2 * 2 * 5


def test_the_larger_time_is_the_floor():
    product, copy = Floor(15 * 10**11, 10**9, RATES), Floor(0, 6 * 10**9, RATES)
    assert product.note(12.5e-3) == (
        "B at 50 % of the floor of 6.25 ms: 1.5 TFLOP at 240 TFLOP/s, measured"
    )
    assert copy.note(8e-3) == (
        "B at 25 % of the floor of 2 ms: 6 GB at 3 TB/s, measured"
    )


def test_a_row_says_what_its_second_side_reaches():
    spec = Spec("group/name", "theirs", "ours")
    row = compare(spec, [9.0, 9.0], [4e-3, 4e-3], size="s", note="first")
    noted = with_floor(row, Floor(0, 6 * 10**9, RATES))
    assert noted.note.startswith("first; B at 50 % of the floor")
    assert (noted.a, noted.b, noted.ratio) == (row.a, row.b, row.ratio)
