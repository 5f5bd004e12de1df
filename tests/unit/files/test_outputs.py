"""Outputs of several processes, of killed ones, and what must never be replaced."""

import fcntl
import multiprocessing
import os
import signal
import time

import pytest
from helpers.full_disk import full_disk

from tmt_vis.files import OutputError, claimed, file_name, replacing, write_atomically

FORK = multiprocessing.get_context("fork")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.mp4", "holiday.mp4"),
        ("猫 и 1", "猫 и 1"),
        ("..", "unnamed"),
        (".", "unnamed"),
        ("", "unnamed"),
        (" . ", "unnamed"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        ("a\nb\x1b[2J\0", "a_b_[2J_"),
        ("x\udc80", "x_"),
    ],
)
def test_names_stay_inside_of_their_folder(tmp_path, name, safe):
    assert file_name(name) == safe
    (tmp_path / safe).write_text("")
    assert (tmp_path / safe).resolve().parent == tmp_path.resolve()


def test_long_names_differ(tmp_path):
    names = {file_name("ü" * 300 + end) for end in "ab"}
    assert len(names) == 2
    for name in names:
        write_atomically(tmp_path / (name + ".results.json"), b"x")


# ---------------------------------------------------------------- two processes


def _write_often(path, letter, times):
    for _ in range(times):
        with replacing(path) as draft, open(draft, "w") as stream:
            for _ in range(50):
                stream.write(letter * 100)
                stream.flush()


def test_no_reader_sees_half_a_file(tmp_path):
    path = tmp_path / "results.json"
    write_atomically(path, b"a" * 5000)
    writers = [
        FORK.Process(target=_write_often, args=(path, letter, 60)) for letter in "ab"
    ]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text())
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {"a" * 5000, "b" * 5000}
    assert list(tmp_path.iterdir()) == [path]


def _wait_in_a_draft(path, ready):
    with replacing(path) as draft:
        draft.write_text("half")
        ready.set()
        time.sleep(60)


def test_drafts_of_dead_processes_go_and_those_of_living_stay(tmp_path):
    path = tmp_path / "x.json"
    ready = [FORK.Event(), FORK.Event()]
    dead, alive = (
        FORK.Process(target=_wait_in_a_draft, args=(path, event)) for event in ready
    )
    for process, event in zip((dead, alive), ready, strict=True):
        process.start()
        assert event.wait(10)
    os.kill(dead.pid, signal.SIGKILL)
    dead.join()
    assert len(list(tmp_path.iterdir())) == 2
    write_atomically(path, b"whole")
    hidden = [p for p in tmp_path.iterdir() if p != path]
    assert len(hidden) == 1 and (hidden[0] / "x.json").read_text() == "half"
    alive.kill()
    alive.join()
    (tmp_path / ".x.json.notes.partial").mkdir()  # of somebody else
    write_atomically(path, b"whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".x.json.notes.partial",
        "x.json",
    ]


def test_a_claim_names_its_holder(tmp_path):
    path = tmp_path / "new" / "out.mp4"
    with claimed(path):
        with (
            pytest.raises(OutputError, match=f"being written by process {os.getpid()}"),
            claimed(path),
        ):
            pass
        with claimed(path.with_name("other.mp4")):
            pass
    with claimed(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_the_claim_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "out.mp4"
    lock = tmp_path / ".out.mp4.lock"
    lock.write_text("process 1 on nowhere\n")  # as a killed process leaves it
    with claimed(path):
        assert lock.read_text().startswith(f"process {os.getpid()} on ")
    assert not lock.exists()


def test_without_locks_drafts_stay(tmp_path, monkeypatch):
    """A file system without locks cannot tell whose process is dead."""

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    left = tmp_path / ".x.json.0123abcd.partial"
    left.mkdir()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "x.json"):
        write_atomically(tmp_path / "x.json", b"1")
    assert left.exists() and (tmp_path / "x.json").exists()


# ------------------------------------------------------------ never replaced


def test_a_folder_is_replaced_only_if_it_is_ours(tmp_path):
    folder = tmp_path / "masks"

    def write(is_ours=None):
        with replacing(folder, is_ours=is_ours) as draft:
            draft.mkdir()
            (draft / "new").write_text("new")

    folder.mkdir()
    write()  # an empty one is nobody's
    with pytest.raises(OutputError, match="something else than an earlier output"):
        write()
    with pytest.raises(OutputError, match="something else"):
        write(lambda path: False)
    (folder / "old").write_text("")
    write(lambda path: (path / "old").exists())
    assert [p.name for p in folder.iterdir()] == ["new"]
    folder.joinpath("new").unlink()
    folder.rmdir()
    folder.write_text("a file")
    with pytest.raises(OutputError, match="is a file; choose another folder"):
        write(lambda path: True)
    assert [p.name for p in tmp_path.iterdir()] == ["masks"]


def test_a_file_never_replaces_a_folder_or_a_device(tmp_path):
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    for path, text in ((folder, "is a folder"), (pipe, "neither a file nor a folder")):
        with pytest.raises(OutputError, match=text):
            write_atomically(path, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]
    assert pipe.is_fifo() and folder.is_dir()


def test_a_link_stays_a_link(tmp_path):
    target = tmp_path / "data" / "real.json"
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "report.json"
    with full_disk(10), pytest.raises(OSError) as caught:
        write_atomically(path, b"x" * 100)
    assert caught.value.filename == str(path)
    assert caught.value.strerror == "File too large"
