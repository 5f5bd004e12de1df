"""What fuzz tests share: damaged bytes, and what may come of them."""

import io
import resource
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def examples(number: int) -> settings:
    """Return settings for so many cases, without limits of time."""
    return settings(max_examples=number, deadline=None, suppress_health_check=_CHECKS)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, change, repeat or insert a few bytes, as disks, networks and editors do."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        kind = draw(st.sampled_from(["set", "set", "cut", "insert", "repeat", "drop"]))
        if kind == "set" and changed:
            changed[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del changed[at:]
        elif kind == "insert":
            changed[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "repeat":
            changed[at:at] = changed[at : at + draw(st.integers(1, 64))]
        elif kind == "drop":
            del changed[at : at + draw(st.integers(1, 64))]
    return bytes(changed)


@st.composite
def damaged_members(draw: st.DrawFn, archive: bytes) -> bytes:
    """Damage one member of a zip and write the archive anew, so that sums are right."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(st.sampled_from(["damage", "damage", "damage", "lose", "rename"]))
    content = members.pop(name)
    if kind == "damage":
        members[name] = draw(damaged(content))
    elif kind == "rename":
        members[draw(st.sampled_from(["x", f"a/{name}", f"{name}.pkl"]))] = content
    packing = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as new:
        for key, value in members.items():
            new.writestr(key, value)
    return buffer.getvalue()


def succeeds_or_explains(
    call: Callable[[], Any], errors: type[Exception] | tuple[type[Exception], ...]
) -> Any:
    """Call a reader of files; it returns, or raises a documented error of one line.

    Args:
        call: The reader.
        errors: The documented errors; any other fails the test.

    Returns:
        What the reader returned; None after an error.
    """
    try:
        return call()
    except errors as error:
        text = str(error)
        assert text and "\n" not in text, f"not one line: {text!r}"
        assert "out of memory" not in text, text
        return None


@contextmanager
def little_memory(*, megabytes: int) -> Iterator[None]:
    """Fail if the process has ever taken much more memory after a block than before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < megabytes, f"{grown:.0f} MB were taken, more than {megabytes}"
