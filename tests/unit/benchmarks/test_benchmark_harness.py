"""The harness: turns, quartiles, verdicts, files, and no timing of wrong results."""

import json
import os
from dataclasses import replace

import pytest

from benchmarks import common, environment, registry, suite
from benchmarks.common import (
    Incorrect,
    Options,
    Skipped,
    Spec,
    Target,
    compare,
    compare_times,
    interleave,
)
from benchmarks.memory import in_child, peak_bytes
from benchmarks.report import machine, renew, replace_block, table
from benchmarks.suite import Result, read_results, run_one, write_json

SPEC = Spec("group/name", "theirs", "ours", target=Target(ratio=2), gating=True)


def test_both_sides_take_turns_after_warm_ups():
    calls, now = [], [0.0]

    def side(name, seconds):
        def run():
            calls.append(name)
            now[0] += seconds

        return run

    a, b = interleave(
        side("a", 3.0), side("b", 1.0), pairs=3, warmups=2, clock=lambda: now[0]
    )
    assert calls == ["a", "b"] * 5
    assert (a, b) == ([3.0] * 3, [1.0] * 3)


def test_short_functions_are_called_several_times():
    calls, now = [], [0.0]

    def short():
        calls.append(1)
        now[0] += 0.004

    times, _ = interleave(short, lambda: None, pairs=1, warmups=1, clock=lambda: now[0])
    assert len(calls) == 1 + 5 and times == pytest.approx([0.004])


@pytest.mark.parametrize(
    ("shortest_long_call", "device", "calls"),
    [(0.0, "cpu", 1 + 7), (0.0, "cuda", 1 + 1 + 7), (9.0, "cpu", 1 + 1 + 7)],
)
def test_long_calls_are_warm_after_the_check(
    monkeypatch, shortest_long_call, device, calls
):
    monkeypatch.setattr(common, "_LONG", shortest_long_call)
    monkeypatch.setattr(common, "_SHORTEST", 0.0)
    made = []
    spec = replace(SPEC, device=device)
    compare_times(
        spec,
        Options(),
        size="s",
        a=lambda: made.append("a"),
        b=lambda: made.append("b"),
        check=lambda a, b: "",
    )
    assert made == ["a", "b"] * calls


def test_the_ratio_is_the_median_of_pairs_with_quartiles():
    row = compare(SPEC, [2, 6, 4, 8, 20], [1, 2, 1, 2, 2], size="s")
    assert row.ratio == (4, 3, 4)
    assert row.a.median == 6 and row.b.median == 2
    assert row.verdict == "met"


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (Target(ratio=2), 5.0, "met"),  # 10 / 5
        (Target(ratio=2), 5.4, "close"),
        (Target(ratio=2), 5.6, "missed"),
        (Target(at_most=5), 5.0, "met"),
        (Target(at_most=5), 5.5, "close"),
        (Target(at_most=5), 5.6, "missed"),
        (Target(at_most=0), 0.0, "met"),
        (Target(at_most=0), 0.1, "missed"),
    ],
)
def test_verdicts(target, value, verdict):
    assert compare(SPEC, [10.0], [value], size="s", target=target).verdict == verdict


def test_wrong_results_are_not_timed():
    calls = []

    def check(a, b):
        assert a == b, f"{b} instead of {a}"
        return "equal"

    def side(value):
        return lambda: calls.append(value) or value

    def run(options):
        yield compare(SPEC, [2], [1], size="first")
        yield compare_times(
            SPEC, options, size="second", a=side(1), b=side(2), check=check
        )

    result = run_one(SPEC, run, Options())
    assert calls == [1, 2]
    assert (result.status, result.fails) == ("wrong", True)
    assert "2 instead of 1" in result.reason
    assert [row["size"] for row in result.rows] == ["first"]
    with pytest.raises(Incorrect):
        list(run(Options()))


def test_an_error_of_one_side_is_no_disagreement():
    def fails():
        assert False, "of the reference itself"  # noqa: B011

    with pytest.raises(AssertionError, match="reference itself") as caught:
        compare_times(
            SPEC, Options(), size="s", a=fails, b=fails, check=lambda a, b: ""
        )
    assert not isinstance(caught.value, Incorrect)


def rows_of(*values):
    def run(options):
        for value in values:
            yield compare(SPEC, [10], [value], size="s", agreement="equal")

    return run


@pytest.mark.parametrize(
    ("flags", "scale", "skipped"),
    [
        ("fpu avx2 avx512f avx512_vnni", "default", True),
        ("fpu avx2 avx512f avx512_vnni", "quick", False),
        ("fpu avx2 avx512f avx512_bf16", "default", False),
        ("", "default", False),  # nothing is known
    ],
)
def test_bfloat16_is_timed_where_there_are_instructions(
    monkeypatch, flags, scale, skipped
):
    monkeypatch.setattr(environment, "_cpuinfo", lambda: flags)
    try:
        environment.require_bfloat16(Options(scale=scale))
    except Skipped as why:
        assert skipped and "no bfloat16 instructions" in str(why)
    else:
        assert not skipped


def test_only_missed_gating_targets_fail():
    free = Spec("group/free", "theirs", "ours", target=Target(ratio=2))
    assert run_one(SPEC, rows_of(4, 9), Options()).fails
    assert not run_one(SPEC, rows_of(4, 5.5), Options()).fails  # within the margin
    assert not run_one(free, rows_of(9), Options()).fails
    assert not run_one(SPEC, rows_of(9), Options.quick()).fails

    def skip(options):
        raise Skipped("no GPU")
        yield

    result = run_one(SPEC, skip, Options())
    assert (result.status, result.reason, result.fails) == ("skipped", "no GPU", False)


def test_results_survive_as_json(tmp_path):
    name = registry.NAMES[0]
    spec = Spec(name, "theirs", "ours", target=Target(ratio=2))
    result = run_one(spec, rows_of(4), Options()).to_dict()
    write_json(tmp_path / f"{name.replace('/', '_')}.json", result)
    (read,) = read_results(tmp_path)
    assert read == json.loads(json.dumps(result))
    assert {"schema", "status", "rows", "environment", "scale"} <= set(read)
    assert {"cpu", "threads", "allocator", "versions", "commit"} <= set(
        read["environment"]
    )
    (row,) = read["rows"]
    assert (row["ratio"], row["a"], row["b"]) == (
        [2.5] * 3,
        {"median": 10, "values": [10]},
        {"median": 4, "values": [4]},
    )


def test_a_skip_does_not_replace_what_another_machine_measured(tmp_path, monkeypatch):
    lines, outcomes = [], []
    monkeypatch.setattr(suite, "_in_own_process", lambda *_: outcomes.pop(0))

    def statuses(*results):
        outcomes[:] = results
        names = ["eval/tube_iou"] * len(results)
        done = suite.run_all(names, Options(), results=tmp_path, say=lines.append)
        (stored,) = read_results(tmp_path)
        return [entry["status"] for entry in done], stored["status"]

    measured = run_one(SPEC, rows_of(4, 20), Options())
    skipped = Result(SPEC, "skipped", "no such instructions")
    assert statuses(skipped) == (["skipped"], "skipped")
    assert statuses(skipped, measured, skipped) == (
        ["skipped", "done", "skipped"],
        "done",
    )
    assert lines[-1].strip() == "kept: what another machine measured"
    # A failure does: the code of now cannot do it.
    assert statuses(Result(SPEC, "failed", "boom")) == (["failed"], "failed")


def test_a_benchmark_that_dies_is_a_failure():
    assert in_child(lambda: 3) == 3
    with pytest.raises(RuntimeError, match="code 7"):
        in_child(lambda: os._exit(7))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        in_child(lambda: 1 / 0)
    with pytest.raises(TimeoutError):
        in_child(lambda: os.read(os.pipe()[0], 1), timeout=0.1)


def test_peak_memory_is_that_of_the_work():
    size = 50_000_000

    def setup():
        b"x" * (6 * size)  # freed again: none of it is the work's
        return b"x" * size

    peak = peak_bytes(setup, lambda kept: len(b"y" * size))
    assert size * 0.9 < peak < size * 1.5


def test_the_page_is_renewed(tmp_path):
    page = tmp_path / "page.md"
    names = ("table", "sides", "advice", "missed", "machine")
    blocks = [f"<!-- benchmarks:{n} -->\nold\n<!-- /benchmarks:{n} -->" for n in names]
    page.write_text("before\n" + "\n".join(blocks) + "\nafter\n")
    compared = run_one(SPEC, rows_of(4, 20), Options()).to_dict()
    advice = run_one(
        Spec("advice/x", "plain", "better"), rows_of(5), Options()
    ).to_dict()
    renew(page, [compared, advice])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text
    assert "`group/name` | s | 10 s | 4 s | 2.5 | ≥ 2x | met |" in text
    assert "| `group/name` | theirs | ours |" in text
    assert "- missed: `group/name`, s, 0.50 of ≥ 2x" in text
    assert (tmp_path / "images" / "benchmarks.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="no block"):
        replace_block("nothing", "table", "")


def test_every_machine_is_named_with_what_it_measured():
    facts = dict(
        cores=2,
        threads=2,
        load_average=0.5,
        python="3.11",
        versions=dict(torch="2"),
        allocator=dict(MALLOC="1"),
        commit="abc",
    )

    def result(name, cpu):
        return dict(name=name, environment=dict(facts, cpu=cpu), seconds=60)

    first, second = machine(
        [result("a/b", "old"), result("c/d", "new"), result("e/f", "new")]
    ).split("\n\n")
    assert first.startswith("new, 2 cores, threads: 2; commit abc; load average 0.5")
    assert "2 minutes in all; Python 3.11, torch 2; `MALLOC=1`" in first
    assert second.startswith("`a/b`: old, 2 cores") and "1 minutes in all" in second
    assert machine([dict(name="a/b", environment={})]) == "Unknown."


def test_what_did_not_run_is_in_the_table():
    result = run_one(SPEC, rows_of(), Options()).to_dict()
    failed = dict(result, status="failed", reason="Traceback\nValueError: a | b")
    assert "failed: ValueError: a / b |" in table([failed])
