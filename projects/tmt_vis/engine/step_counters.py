"""What a training step costs, in numbers that do not depend on the machine's load."""

from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# They allocate or reinterpret, and launch nothing.
_NO_KERNEL = (
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    *("_unsafe_view", "_reshape_alias", "promote_types", "result_type"),
)
# Operators after which the host knows something the device has computed.
_WAITING_OPS = ("_local_scalar_dense", "nonzero", "unique", "_unique2", "unique_dim")
# They wait on a device; on the CPU they reach no operator.
_WAITING_METHODS = (Tensor.cpu, Tensor.tolist)


class StepCounter:
    """Count operators, host synchronisations and stored bytes of a piece of code.

    The counts do not depend on widths, sizes or threads, so a narrow model on a CPU
    stands for a full one; they are those of eager mode. Every operator that is no view
    is a kernel launch on a GPU (5 to 8 microseconds of host time), and every
    synchronisation makes the host wait until the device has done all before it.

    Example:
        >>> with StepCounter() as count:
        ...     losses = model.loss(inputs, samples)
        ...     stored = count.stored_bytes()
        ...     sum(losses.values()).backward()
        >>> count.num_ops, count.num_syncs
    """

    def __init__(self) -> None:
        self.ops: Counter[str] = Counter()
        self.syncs: Counter[str] = Counter()
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self._modes = (_Dispatched(self), _Called(self))

    @property
    def num_ops(self) -> int:
        """Operators that compute or copy something; views are not among them."""
        return sum(self.ops.values())

    @property
    def num_syncs(self) -> int:
        """Times at which the host would wait for a device."""
        return sum(self.syncs.values())

    def stored_bytes(self) -> int:
        """Return the bytes of all storages made here that are still alive.

        At the end of the forward this is what the backward keeps, and the outputs.
        """
        alive = (size for ref, size in self._storages.values() if not ref.expired())
        return sum(alive)

    def __enter__(self) -> "StepCounter":
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(kind, error, trace)

    def saw_op(self, func: Any, args: tuple, result: Any) -> None:
        """Note an operator, its arguments and what it returned."""
        name = func.overloadpacket.__name__
        if not func.is_view and name not in _NO_KERNEL:
            self.ops[name] += 1
        if name in _WAITING_OPS:
            self.syncs[name] += 1
        if name.startswith("index") and _has_mask(args[1]):
            self.syncs["index by mask"] += 1  # a nonzero inside
        # A view, or what was written in place, is no storage made here.
        given = {ref.cdata for ref, _ in _storages(args)}
        for ref, size in _storages(result):
            if ref.cdata not in given:
                self._storages[ref.cdata] = (ref, size)


def _has_mask(indices: Any) -> bool:
    return isinstance(indices, list) and any(
        index is not None and index.dtype is torch.bool for index in indices
    )


def _storages(values: Any) -> Iterator[tuple[StorageWeakRef, int]]:
    for leaf in _tensors(values):
        if leaf.layout is torch.strided:  # sparse ones own no storage
            storage = leaf.untyped_storage()
            yield StorageWeakRef(storage), storage.nbytes()


def _tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for part in result:
            yield from _tensors(part)


class _Dispatched(TorchDispatchMode):
    def __init__(self, counter: StepCounter) -> None:
        super().__init__()
        self._counter = counter

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self._counter.saw_op(func, args, result)
        return result


class _Called(TorchFunctionMode):
    def __init__(self, counter: StepCounter) -> None:
        super().__init__()
        self._counter = counter

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func in _WAITING_METHODS:
            self._counter.syncs[func.__name__] += 1
        return func(*args, **(kwargs or {}))
