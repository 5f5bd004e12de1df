"""What the page accepts: sizes, lengths, and files that are videos."""

from dataclasses import dataclass
from pathlib import Path

from tmt_vis.inference import FrameSource, open_source

from .errors import WebError

# (offset, bytes) of the containers and images that are accepted. FFmpeg would also open
# playlists, which name other files and addresses.
_SIGNATURES = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"RIFF"),  # AVI, WebP
    (0, b"GIF8"),
    (0, b"\x89PNG"),
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"OggS"),
    (0, b"FLV"),
    (0, b"\x30\x26\xb2\x75"),  # ASF, WMV
    (0, b"\x00\x00\x01\xba"),  # MPEG programme stream
    (0, b"\x00\x00\x01\xb3"),
    (0, b"\x47"),  # MPEG transport stream
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one visitor may ask for.

    Args:
        upload_mb: Megabytes (10^6 bytes) of an uploaded file.
        frames: Frames of a video.
        side: Pixels of the longer side of a frame.
        words: Words of a vocabulary.
        word_length: Characters of a word.
        jobs: Predictions that run at the same time; further ones wait.
        idle_minutes: A visitor who has done nothing for so long is forgotten.
    """

    upload_mb: int = 200
    frames: int = 600
    side: int = 1920
    words: int = 50
    word_length: int = 60
    jobs: int = 2
    idle_minutes: int = 60

    @property
    def upload_bytes(self) -> int:
        """Bytes of an uploaded file."""
        return self.upload_mb * 10**6

    def check_upload(self, num_bytes: int) -> None:
        """Refuse a file that is too large.

        Raises:
            WebError: Then.
        """
        if num_bytes > self.upload_bytes:
            raise WebError(
                f"a video may have {self.upload_mb} MB, this one has at least "
                f"{num_bytes / 1e6:.1f}; cut or compress it, or start the page with "
                "--max-mb"
            )

    def check_length(self, frames: int, fps: float) -> None:
        """Refuse a video that is too long.

        Raises:
            WebError: Then.
        """
        if frames > self.frames:
            raise WebError(
                f"a video may have {self.frames} frames, this one has {frames} "
                f"({frames / fps:.0f} s at {fps:g} per second); cut it, or start the "
                "page with --max-frames"
            )

    def check_frames(self, source: FrameSource) -> None:
        """Refuse frames that are too large, and a video known to be too long.

        Raises:
            WebError: Then.
        """
        if max(source.height, source.width) > self.side:
            raise WebError(
                f"a frame may have {self.side} pixels on its longer side, these have "
                f"{source.width}x{source.height}; scale the video down, or start the "
                "page with --max-side"
            )
        if source.num_frames is not None:
            self.check_length(source.num_frames, source.fps)

    def parse_words(self, text: str) -> tuple[str, ...]:
        """Read the words of a vocabulary, separated by commas or lines.

        Raises:
            WebError: If there is none, or there are too many or too long ones.
        """
        parts = text.replace("\n", ",").split(",")
        words = tuple(filter(None, (" ".join(part.split()) for part in parts)))
        if not words:
            raise WebError(
                "a vocabulary needs at least one word; type names separated by commas, "
                "such as: dog, red bus"
            )
        if len(words) > self.words:
            raise WebError(
                f"a vocabulary may have {self.words} words, got {len(words)}; leave "
                "some out"
            )
        longest = max(words, key=len)
        if len(longest) > self.word_length:
            raise WebError(
                f"a word may have {self.word_length} characters, got {len(longest)} in "
                f"{longest[:20]!r}...; separate words by commas"
            )
        return words


def open_checked(path: Path, limits: Limits) -> FrameSource:
    """Open an uploaded file if it is a video within the limits.

    Args:
        path: The file.
        limits: What is accepted.

    Returns:
        Its frames.

    Raises:
        WebError: If it is no video, or too large.
        FrameSourceError: If it cannot be decoded.
    """
    with open(path, "rb") as stream:
        start = stream.read(16)
    if not any(start[at:].startswith(kind) for at, kind in _SIGNATURES):
        raise WebError(
            f"{path.name} is no video; upload MP4, MOV, MKV, WebM, AVI, GIF or an image"
        )
    source = open_source(path)
    limits.check_frames(source)
    return source
