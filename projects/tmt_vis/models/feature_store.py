"""Mask features of a video of any length: in memory at first, then in a file."""

import tempfile
import time

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import Tensor


class MaskFeatureStore:
    """Keep the mask features of all frames until it is known which masks are wanted.

    A frame of 384x640 takes 15.7 MB in float32. The first ``frames_in_memory`` stay on
    their device; the others are written to a temporary file without a name, which goes
    with the store, so memory no longer grows. What is read back has the same bits.

    Args:
        frames_in_memory: frames that are kept in memory.
        directory: of the file; None is the system's (``TMPDIR``).

    Attributes:
        bytes_on_disk: written so far.
        seconds: that writing and reading took.

    Raises:
        ValueError: if the number is negative.
    """

    def __init__(
        self, *, frames_in_memory: int = 64, directory: str | None = None
    ) -> None:
        if frames_in_memory < 0:
            raise ValueError(
                f"frames_in_memory must be >= 0, got {frames_in_memory}; 0 keeps the "
                "mask features of all frames in a file"
            )
        self._limit = frames_in_memory
        self._directory = directory
        self._chunks: list[Tensor] = []
        self._in_memory = 0
        self._file = None
        self._on_disk = 0
        self.bytes_on_disk = 0
        self.seconds = 0.0

    def __len__(self) -> int:
        return self._in_memory + self._on_disk

    def add(self, features: Tensor) -> None:
        """Append frames ``(F, C, H, W)``, all of one size and type.

        Raises:
            OSError: if there is no space for the file.
        """
        kept = features[: max(0, self._limit - self._in_memory)]
        if len(kept):
            self._chunks.append(kept)
            self._in_memory += len(kept)
        if len(rest := features[len(kept) :]):
            self._write(rest)

    def __getitem__(self, frame: int) -> Tensor:
        """Return one frame ``(C, H, W)`` on its device."""
        if frame >= self._in_memory:
            return self._read(frame - self._in_memory)
        for chunk in self._chunks:
            if frame < len(chunk):
                return chunk[frame]
            frame -= len(chunk)
        raise IndexError(f"there are {len(self)} frames, got frame {frame}")

    def report(self) -> None:
        """Log what the file cost, if there was one."""
        if self.bytes_on_disk:
            MMLogger.get_current_instance().info(
                "mask features of %d of %d frames went through a file: %.2f GB, %.1f s "
                "of writing and reading",
                *(self._on_disk, len(self), self.bytes_on_disk / 1e9, self.seconds),
            )

    def _write(self, features: Tensor) -> None:
        start = time.perf_counter()
        if self._file is None:
            # Open as long as the store is; a context manager would close it.
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115
            self._like = features[:1]
        data = features.contiguous().cpu().view(torch.uint8).numpy()
        try:
            self._file.seek(self.bytes_on_disk)
            self._file.write(memoryview(data.reshape(-1)))
            self._file.flush()
        except OSError as error:
            raise OSError(
                error.errno,
                f"no space for the mask features of frame {len(self)} on, "
                f"{data.nbytes / len(features) / 1e6:.1f} MB a frame, "
                f"{self.bytes_on_disk / 1e9:.2f} GB so far ({error.strerror}); set "
                "TMPDIR or mask_store.directory to a larger disk, raise "
                "mask_store.frames_in_memory, or cut the video",
            ) from error
        self._on_disk += len(features)
        self.bytes_on_disk += data.nbytes
        self.seconds += time.perf_counter() - start

    def _read(self, frame: int) -> Tensor:
        start = time.perf_counter()
        like = self._like
        data = np.empty(like.nbytes, np.uint8)
        self._file.seek(frame * like.nbytes)
        self._file.readinto(memoryview(data))
        flat = torch.from_numpy(data).view(like.dtype).to(like.device)
        self.seconds += time.perf_counter() - start
        return flat.view(like.shape[1:])
