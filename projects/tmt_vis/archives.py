"""How much a zip archive may inflate, decided before anything is allocated."""

import zipfile
from pathlib import Path
from typing import BinaryIO

# Arrays of weights and embeddings hardly compress (noise in float16: to 0.92, in
# float32: to 0.93), and torch and numpy store them as they are.
MAX_INFLATION = 8
_FREE_BYTES = 16 << 20


class InflatingArchiveError(ValueError):
    """An archive that claims to hold far more than its bytes can justify."""


def justified_bytes(file_bytes: int) -> int:
    """Return how many bytes the content of a file of arrays may take.

    Args:
        file_bytes: Size of the file.
    """
    return MAX_INFLATION * file_bytes + _FREE_BYTES


def check_inflation(file: str | Path | BinaryIO, file_bytes: int) -> None:
    """Refuse a zip whose entries are together much larger than the file.

    The sizes are those of the directory, which Python's and torch's readers keep to:
    an entry that is longer than announced fails its check sum. Entries that overlap
    are counted each.

    Args:
        file: The archive.
        file_bytes: Size of the archive.

    Raises:
        InflatingArchiveError: If they are.
        zipfile.BadZipFile: If it has no directory.
    """
    with zipfile.ZipFile(file) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    if total > justified_bytes(file_bytes):
        raise InflatingArchiveError(
            f"its {file_bytes:,} bytes claim to hold {total:,}; arrays are stored "
            f"uncompressed, and at most {MAX_INFLATION} times the size of the file is "
            "read. If you trust it, save it again without compression"
        )
