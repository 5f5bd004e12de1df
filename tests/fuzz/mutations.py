"""Damage to files that keeps most of their structure, and what may come of it.

A fuzz test is ``fuzzed(check, strategy)``: some dozens of cases in the default suite,
thousands with ``-m slow``. ``check`` reads one damaged input by ``outcome_of``, which
lets pass what the product may do: succeed, or refuse in one line.
"""

import copy
import faulthandler
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Values that files really hold where something else belongs, and worse ones.
STRANGE = [None, True, False, 0, 1, -1, 2, 7, 2**31, 2**32, 2**63, -(2**63) - 1, 10**30]
STRANGE += [0.0, 0.5, 1.0, 32.0, -0.0, 1e300, float("nan"), float("inf")]
STRANGE += ["", "0", "1", "false", "x", "dog", "\x1b[2J", "a\r\nb", "\ud800", "\u202e"]
STRANGE += ["null", "9" * 400, "\x00", "../x", "é"]
STRANGE += [[], {}, [None], [[]], [0], ["x"], [1.5, 2], {"x": 1}, [[[[[[[[]]]]]]]]]
NESTED = "[" * 3000 + "]" * 3000
DIGITS = "1" * 5000
HANG_SECONDS = 120  # for the whole of one check, on a busy machine
_MEGABYTES = 400  # that a tiny damaged file may cost


def places(tree: Any) -> list[tuple[Any, ...]]:
    """List the paths of all nodes below the root, parents first."""
    if isinstance(tree, dict):
        items = list(tree.items())
    elif isinstance(tree, list):
        items = list(enumerate(tree))
    else:
        return []
    found: list[tuple[Any, ...]] = []
    for key, value in items:
        found.append((key,))
        found += [(key, *rest) for rest in places(value)]
    return found


@st.composite
def damaged_trees(draw: Callable[..., Any], tree: Any, max_edits: int = 3) -> Any:
    """Draw copies of a JSON tree with one to ``max_edits`` things wrong."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, max_edits))):
        everywhere = places(tree)
        if everywhere:
            # By depth first, or the many numbers of deep lists would take most edits.
            depths = sorted({len(place) for place in everywhere})
            depth = draw(st.sampled_from(depths))
            place = draw(st.sampled_from([p for p in everywhere if len(p) == depth]))
            _damage(draw, tree, place)
    return tree


def _damage(draw: Callable[..., Any], tree: Any, place: tuple[Any, ...]) -> None:
    holder = tree
    for key in place[:-1]:
        holder = holder[key]
    key, value = place[-1], holder[place[-1]]
    kind = draw(st.sampled_from(["value", "value", "delete", "copy", "wrap", "move"]))
    if kind == "value":
        holder[key] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
    elif kind == "delete":
        del holder[key]
    elif kind == "wrap":
        holder[key] = draw(st.sampled_from([[value], {"x": value}, str(value)]))
    elif kind == "copy" and isinstance(holder, list):
        holder.append(copy.deepcopy(value))
    elif kind == "copy":
        holder[draw(st.sampled_from(["x", "id", "name", "iscrowd"]))] = value
    else:  # what stands in one place stands in another
        other = draw(st.sampled_from(places(tree)))
        for step in other[:-1]:
            tree = tree[step]
        holder[key] = copy.deepcopy(tree[other[-1]])


@st.composite
def damaged_bytes(draw: Callable[..., Any], data: bytes) -> bytes:
    """Draw copies of a file that were cut, overwritten, encoded or padded."""
    kind = draw(st.sampled_from(["cut", "flip", "insert", "nested", "digits", "other"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=9)) + data[at:]
    if kind == "nested":
        return data[:at] + NESTED.encode() + data[at:]
    if kind == "digits":
        return data[:at] + DIGITS.encode() + data[at:]
    others = [b"", b"\xef\xbb\xbf" + data, data + b" " * 5000, data * 2]
    if data.isascii():
        others.append(data.decode("ascii").encode("utf-16"))
    return draw(st.sampled_from(others))


def as_json(tree: Any) -> bytes:
    """Write a tree as a damaged program would: NaN and half surrogates included."""
    return json.dumps(tree).encode("ascii")


def outcome_of(
    read: Callable[[], Any], *, refusals: type[Exception] | tuple, names: str = ""
) -> Any:
    """Run a reader; return what it read, or None if it refused by the rules.

    Args:
        read: The call.
        refusals: The documented errors; any other is a fault.
        names: Text that the message has to hold, such as the name of the file.
    """
    try:
        with _limits():
            return read()
    except refusals as error:
        message = str(error)
        assert message and "\n" not in message, f"not one line: {message!r}"
        assert len(message) < 5000, f"{len(message)} characters: {message[:300]!r}"
        assert names in message, f"{names!r} is not in {message!r}"
        return None


@contextmanager
def _limits() -> Iterator[None]:
    """End the process with a traceback if it hangs; fail if memory is wasted."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < _MEGABYTES, f"memory grew by {grown:.0f} MB"


def fuzzed(
    check: Callable[[Any], None],
    strategy: st.SearchStrategy,
    *,
    cases: int = 60,
    slow_cases: int = 2000,
) -> Callable[..., None]:
    """Make a test of a check: ``cases`` by default, ``slow_cases`` with -m slow."""

    def checked(case: Any) -> None:
        check(case)

    def run(number: int) -> None:
        health = [HealthCheck.too_slow, HealthCheck.data_too_large]
        options = dict(max_examples=number, deadline=None, database=None)
        settings(**options, suppress_health_check=health)(given(strategy)(checked))()

    numbers = [cases, pytest.param(slow_cases, marks=pytest.mark.slow)]
    return pytest.mark.parametrize("number", numbers, ids=["few", "many"])(run)
