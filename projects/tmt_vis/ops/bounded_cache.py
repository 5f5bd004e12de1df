"""A cache that several threads may share."""

import threading
from collections.abc import Callable, Hashable
from typing import Any


class BoundedCache:
    """Remember the latest results of a function of hashable arguments.

    Two threads that miss the same entry compute it twice and keep one: nobody waits
    while another computes.

    Args:
        function: what is remembered; its results must not be changed.
        max_entries: results that are kept; the oldest is dropped.
    """

    def __init__(self, function: Callable[..., Any], max_entries: int) -> None:
        self._function = function
        self._max_entries = max_entries
        self._entries: dict[tuple[Hashable, ...], Any] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __call__(self, *key: Hashable) -> Any:
        """Return the result for these arguments."""
        try:
            return self._entries[key]
        except KeyError:
            value = self._function(*key)
        with self._lock:
            while len(self._entries) >= self._max_entries:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = value
        return value

    # Locks and cached tensors are neither copied nor pickled with a model.
    def __getstate__(self) -> dict[str, Any]:
        return {"_function": self._function, "_max_entries": self._max_entries}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_function"], state["_max_entries"])
