"""Many small Python objects in one numpy buffer, readable one at a time."""

import pickle
from collections.abc import Iterable
from typing import Any

import torch


class RecordStore:
    """Keep pickled records back to back and load only the ones asked for.

    Loader workers share the two buffers with their parent: forked ones because nobody
    writes to them, spawned ones because PyTorch hands a tensor to a new process as
    shared memory instead of pickling it. A list of Python objects would not stay
    shared: reading an object writes its reference count, which copies its memory page
    into every worker.

    Args:
        records: The records, in order; consumed one by one.
    """

    def __init__(self, records: Iterable[Any]) -> None:
        data, ends = bytearray(), [0]
        for record in records:
            data += pickle.dumps(record, protocol=5)
            ends.append(len(data))
        # The buffer itself, not a copy: it may be the largest thing in memory.
        self._data = torch.frombuffer(data or bytearray(1), dtype=torch.uint8)
        self._ends = torch.tensor(ends, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        start, end = self._ends[index : index + 2].tolist()
        return pickle.loads(self._data[start:end].numpy())

    @property
    def nbytes(self) -> int:
        """Memory of the store in bytes."""
        return self._data.nbytes + self._ends.nbytes
