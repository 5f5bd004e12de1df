"""Many small Python objects in one numpy buffer, readable one at a time."""

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np


class RecordStore:
    """Keep pickled records back to back and load only the ones asked for.

    A forked loader worker shares the two arrays with its parent without a copy. A list
    of Python objects would not stay shared: reading an object writes its reference
    count, which copies its memory page into every worker.

    Args:
        records: The records, in order; consumed one by one.
    """

    def __init__(self, records: Iterable[Any]) -> None:
        data, ends = bytearray(), [0]
        for record in records:
            data += pickle.dumps(record, protocol=5)
            ends.append(len(data))
        self._data = np.frombuffer(bytes(data), dtype=np.uint8)
        self._ends = np.asarray(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        start, end = self._ends[index : index + 2]
        return pickle.loads(self._data[start:end])

    @property
    def nbytes(self) -> int:
        """Memory of the store in bytes."""
        return self._data.nbytes + self._ends.nbytes
