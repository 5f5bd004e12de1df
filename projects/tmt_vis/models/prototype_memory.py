"""What GenVIS remembers of the clips before: one prototype for each query and clip."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class _Storage:
    """Keys and values with space behind them; remembers up to where it is written."""

    def __init__(self, tensors: tuple[Tensor, Tensor], used: int) -> None:
        self.tensors = tensors
        self.used = used


@dataclass(frozen=True)
class PrototypeBank:
    """The prototypes of all clips so far, oldest first.

    A bank is a value: :meth:`appended` returns a new one and leaves this one as it was.
    Without gradients both share storage, which doubles when it is full, so a video does
    not copy its memory in every clip.

    Args:
        storage: of keys and values, ``(B, Q, capacity, C)`` each; None when empty.
        start: first entry that is still remembered.
        stop: behind the last entry.
    """

    storage: _Storage | None = None
    start: int = 0
    stop: int = 0

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def keys(self) -> Tensor:
        """Return the keys ``(B, Q, M, C)``."""
        return self.storage.tensors[0][:, :, self.start : self.stop]

    @property
    def values(self) -> Tensor:
        """Return the values ``(B, Q, M, C)``."""
        return self.storage.tensors[1][:, :, self.start : self.stop]

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> "PrototypeBank":
        """Make a bank of ``M`` entries, ``(B, Q, M, C)`` each; inverse of the views."""
        if keys.shape[2] == 0:
            return cls()
        length = keys.shape[2]
        return cls(_Storage((keys, values), length), 0, length)

    def appended(
        self, key: Tensor, value: Tensor, *, limit: int | None = None
    ) -> "PrototypeBank":
        """Return a bank with one more entry.

        Args:
            key: ``(B, Q, C)``.
            value: ``(B, Q, C)``.
            limit: entries that are remembered at most, the newest ones; None = all.
        """
        stop = self.stop + 1
        start = self.start if limit is None else max(self.start, stop - limit)
        if torch.is_grad_enabled() or self.storage is None:
            return self._joined(key, value, start)
        storage, offset = self.storage, 0
        full = self.stop == storage.tensors[0].shape[2]
        if full or storage.used != self.stop:
            # Full, or another bank has written behind this one.
            storage, offset = self._grown(start), start
        for tensor, entry in zip(storage.tensors, (key, value), strict=True):
            tensor[:, :, self.stop - offset] = entry
        storage.used = stop - offset
        return PrototypeBank(storage, start - offset, stop - offset)

    def _joined(self, key: Tensor, value: Tensor, start: int) -> "PrototypeBank":
        entries = key.unsqueeze(2), value.unsqueeze(2)
        if self.storage is None:
            return PrototypeBank.of(*entries)
        kept = (tensor[:, :, start : self.stop] for tensor in self.storage.tensors)
        pairs = zip(kept, entries, strict=True)
        return PrototypeBank.of(*(torch.cat(pair, 2) for pair in pairs))

    def _grown(self, start: int) -> _Storage:
        """Copy what is remembered into storage of twice its size."""
        kept = self.stop - start
        tensors = []
        for old in self.storage.tensors:
            batch, queries, _, channels = old.shape
            new = old.new_empty(batch, queries, 2 * kept + 8, channels)
            new[:, :, :kept] = old[:, :, start : self.stop]
            tensors.append(new)
        return _Storage(tuple(tensors), kept)


class PrototypeMemory(nn.Module):
    """Read the prototypes of earlier clips into the queries (GenVIS, Sec. 3.3).

    A query reads its own past only, with one head and without a temperature:
    ``q + v(q) + sum_m softmax_m(<k(q), K_m>) V_m``. The released code multiplies all
    queries with all prototypes of all clips and keeps the diagonal; here only the
    diagonal is computed.

    Args:
        channels: width of the queries.
        max_entries: clips that are remembered at most, the newest ones; None = all, as
            in the paper.

    Raises:
        ValueError: if fewer than one entry is asked for.
    """

    def __init__(self, *, channels: int = 256, max_entries: int | None = None) -> None:
        super().__init__()
        if max_entries is not None and max_entries < 1:
            raise ValueError(
                f"memory.max_entries must be >= 1 clip or None, got {max_entries}; "
                "None remembers all clips, as GenVIS does"
            )
        self.max_entries = max_entries
        self.query_key = nn.Linear(channels, channels)
        self.query_value = nn.Linear(channels, channels)
        self.memory_key = nn.Linear(channels, channels)
        self.memory_value = nn.Linear(channels, channels)

    def read(self, queries: Tensor, bank: PrototypeBank) -> Tensor:
        """Add to the queries what they remember.

        Args:
            queries: ``(B, Q, C)`` as the clip before left them.
            bank: of the clips before; the first clip has none.

        Returns:
            ``(B, Q, C)``.
        """
        read = queries + self.query_value(queries)
        if len(bank) == 0:
            return read
        key = self.query_key(queries).unsqueeze(-1)
        weights = (bank.keys @ key).softmax(2)  # (B, Q, M, 1)
        return read + (weights.transpose(2, 3) @ bank.values).squeeze(2)

    def write(self, normed: Tensor, bank: PrototypeBank) -> PrototypeBank:
        """Remember the queries of a clip.

        Args:
            normed: ``(B, Q, C)`` after the decoder's norm.
            bank: of the clips before.
        """
        key, value = self.memory_key(normed), self.memory_value(normed)
        return bank.appended(key, value, limit=self.max_entries)
