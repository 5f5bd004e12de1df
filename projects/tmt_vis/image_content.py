"""What the bytes of an image file say before they are decoded."""

import io
import warnings

from PIL import Image

# A picture of one colour packs far better than 2,000 pixels a byte, and nobody minds
# as long as it is no larger than this: twice a frame of 8K.
_FREE_PIXELS = 2**26
_PIXELS_PER_BYTE = 2000
_PNG_START, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF", b"WEBP"
_WEBP_ANIMATION = 0x02


def check_claimed_size(width: int, height: int, num_bytes: int) -> None:
    """Refuse pictures that claim more pixels than their bytes can justify.

    Decoding allocates what the header claims: a GIF of 63 bytes took 0.95 GB.

    Args:
        width: As the header says.
        height: As the header says.
        num_bytes: Size of the file.

    Raises:
        ValueError: If it claims too much.
    """
    pixels = width * height
    if pixels > max(_FREE_PIXELS, _PIXELS_PER_BYTE * num_bytes):
        raise ValueError(
            f"the header claims {width}x{height} pixels (width x height), more than "
            f"{num_bytes} bytes can hold: {_FREE_PIXELS // 10**6} million, or "
            f"{_PIXELS_PER_BYTE} a byte; it is damaged, or made to exhaust memory"
        )


def check_header(content: bytes) -> None:
    """Apply :func:`check_claimed_size` to an image file; unknown formats pass.

    Args:
        content: The whole file.

    Raises:
        ValueError: If it claims too much.
    """
    if len(content) * _PIXELS_PER_BYTE >= 2**30:  # OpenCV's own limit
        return
    try:
        with warnings.catch_warnings():  # of large pictures; the limit here counts
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                size = image.size
    except Image.DecompressionBombError as error:
        raise ValueError(f"{error}; it is damaged or made to exhaust memory") from error
    except (
        OSError,
        SyntaxError,
        ValueError,
    ):  # as PIL raises it for what it cannot read
        return
    check_claimed_size(*size, len(content))


def is_animated(content: bytes) -> bool:
    """Tell whether a PNG or WebP file holds several pictures, by its header.

    Args:
        content: The file, or its first 64 kB.
    """
    if content.startswith(_PNG_START):
        return b"acTL" in content.partition(b"IDAT")[0]
    if content[:4] == _RIFF and content[8:16] == _WEBP + b"VP8X":
        return bool(content[20] & _WEBP_ANIMATION)
    return False
