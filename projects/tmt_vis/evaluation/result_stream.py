"""Result files of any size, entry by entry."""

import json
import lzma
import re
import reprlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, TypeAlias

NAME_IN_ZIP = "results.json"  # the servers look for exactly this name
# Done and in all: bytes of a file, or videos.
Progress: TypeAlias = Callable[[int, int], None]

_CHUNK = 1 << 22
_BLANKS = re.compile(r"[ \t\r\n]*")
# What a damaged zip, one with a password or one of an unknown method raises.
_DAMAGED = (
    UnicodeDecodeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
# What may be missing at the end of the text without an error before it: the longest
# token that is not a string is a number.
_TOKEN = 32


def iterate_entries(
    path: str | Path, *, max_entry: int, progress: Progress | None = None
) -> Iterator[Any]:
    """Decode the JSON list of a result file one entry at a time.

    Decoded at once, a result file of 2 GB takes five to ten times that in objects; this
    holds one entry and a few megabytes of text.

    Args:
        path: The JSON list, or a zip with ``results.json`` inside.
        max_entry: Characters that an entry may have; nothing longer is collected. As
            many blanks may stand between two entries.
        progress: Called with characters read and bytes in all, which is the same
            for a file without non-ASCII names.

    Raises:
        ValueError: If it is no complete JSON list, or larger than it can be.
    """
    try:
        with _open_text(path) as (stream, size):
            yield from _Reader(stream, str(path), size, max_entry, progress).entries()
    except OSError as error:
        if error.filename is not None:  # not of a decompressor, nor a seek beyond it
            raise
        raise ValueError(f"{path} must be a whole zip: {error}") from error
    except _DAMAGED as error:
        raise ValueError(f"{path} must be JSON text or a whole zip: {error}") from error


class _Reader:
    """A window of text that moves over the file."""

    def __init__(
        self,
        stream: TextIO,
        path: str,
        size: int,
        max_entry: int,
        progress: Progress | None,
    ) -> None:
        self._stream = stream
        self._path = path
        self._size = size
        self._max_entry = max_entry
        self._progress = progress
        self._decoder = json.JSONDecoder()
        self._text, self._at, self._read, self._ended = "", 0, 0, False

    def entries(self) -> Iterator[Any]:
        if self._next_character() != "[":
            start = self._text[self._at : self._at + 30]
            raise ValueError(
                f"{self._path} must be a JSON list of tracks, got {start!r}"
            )
        self._at += 1
        if self._next_character() == "]":
            return
        while True:
            yield self._decode()
            separator = self._next_character()
            self._at += 1
            if separator == "]":
                return
            if separator != ",":
                raise ValueError(
                    f"{self._path} is not complete JSON: {separator or 'its end'!r} "
                    "follows an entry"
                )
            self._next_character()

    def _next_character(self) -> str:
        """Skip white space; return '' at the end of the file."""
        skipped = 0
        while True:
            start, self._at = self._at, _BLANKS.match(self._text, self._at).end()
            if self._at < len(self._text):
                return self._text[self._at]
            skipped += self._at - start
            if skipped > self._max_entry:
                raise ValueError(
                    f"{self._path} has more than {skipped} blanks in a row, as many as "
                    "the longest entry may have; write it without them"
                )
            if not self._more():
                return ""

    def _decode(self) -> Any:
        while True:
            try:
                entry, self._at = self._decoder.raw_decode(self._text, self._at)
                return entry
            except RecursionError as error:
                message = f"{self._path}: an entry is nested too deep"
                raise ValueError(message) from error
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string")
                cut = cut or error.pos > len(self._text) - _TOKEN
                # A mistake in the middle is one whatever follows; reading on would
                # only collect the rest of the file first.
                left = len(self._text) - self._at
                if cut and left > self._max_entry:
                    raise ValueError(
                        f"{self._path} has an entry of more than {left} characters; "
                        "no track of the annotation file's videos needs so many"
                    ) from error
                if not cut or not self._more():
                    message = f"{self._path} is not complete JSON: {error.msg}"
                    raise ValueError(message) from error
            except ValueError as error:  # an integer of more than 4,300 digits
                raise ValueError(f"{self._path}: {error}") from error

    def _more(self) -> bool:
        """Read on, at least as much as is left; False at the end of the file."""
        if self._ended:
            return False
        rest = self._text[self._at :]
        # Doubling keeps an entry larger than the window from being decoded again and
        # again in small steps.
        chunk = self._stream.read(max(_CHUNK, len(rest)))
        self._text, self._at = rest + chunk, 0
        self._read += len(chunk)
        self._ended = not chunk
        if self._progress is not None:
            self._progress(self._read, self._size)
        return bool(chunk)


@contextmanager
def _open_text(path: str | Path) -> Iterator[tuple[TextIO, int]]:
    """Open a result file; give it and its size in bytes when unpacked."""
    if not zipfile.is_zipfile(path):
        with open(path, encoding="utf-8-sig") as stream:
            yield stream, Path(path).stat().st_size
        return
    with zipfile.ZipFile(path) as archive:
        if NAME_IN_ZIP not in archive.namelist():
            raise ValueError(
                f"{path} must hold {NAME_IN_ZIP} at its top, got "
                f"{reprlib.repr(archive.namelist())}"
            )
        size = archive.getinfo(NAME_IN_ZIP).file_size
        with archive.open(NAME_IN_ZIP) as raw:
            yield TextIOWrapper(raw, encoding="utf-8-sig"), size
