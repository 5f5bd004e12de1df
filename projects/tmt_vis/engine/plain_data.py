"""Training state as tensors, plain containers and numbers, and back.

`torch.load` executes no code from a file as long as the file holds nothing else, so a
checkpoint in this form is loaded safely and with torch's default settings.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_TYPE_KEY = "__tmt_vis_type__"
_ATOMS = {
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    torch.device,
    torch.dtype,
    torch.nn.Parameter,
    torch.Size,
    torch.Tensor,
}


class PlainDataError(ValueError):
    """A value that cannot be stored without pickling its class.

    Not a TypeError: `Runner.call_hook` catches those and raises a plain TypeError.
    """


def _encode_array(array: np.ndarray, path: str) -> dict[str, Any]:
    if array.dtype.kind in "biufc":
        data: Any = torch.from_numpy(np.array(array, order="C"))
    elif array.dtype.kind in "US":
        data = array.tolist()
    else:
        raise _unknown(array, path)
    return {_TYPE_KEY: "ndarray", "data": data, "dtype": array.dtype.str}


def _decode_array(fields: dict[str, Any]) -> np.ndarray:
    data = fields["data"]
    if isinstance(data, torch.Tensor):
        data = data.cpu().numpy()
    return np.array(data, dtype=fields["dtype"])


def _encode_history(history: HistoryBuffer, path: str) -> dict[str, Any]:
    values, counts = history.data
    return {
        _TYPE_KEY: "HistoryBuffer",
        "values": _encode_array(values, path),
        "counts": _encode_array(counts, path),
        "max_length": history.max_length,
    }


def _decode_history(fields: dict[str, Any]) -> HistoryBuffer:
    return HistoryBuffer(
        _decode_array(fields["values"]),
        _decode_array(fields["counts"]),
        fields["max_length"],
    )


def _encode_counter(counter: Counter, path: str) -> dict[str, Any]:
    return {_TYPE_KEY: "Counter", "items": to_plain(dict(counter), path)}


def _encode_set(members: set, path: str) -> dict[str, Any]:
    return {_TYPE_KEY: "set", "items": [to_plain(item, path) for item in members]}


_ENCODERS: dict[type, Callable[[Any, str], Any]] = {
    Counter: _encode_counter,
    HistoryBuffer: _encode_history,
    np.ndarray: _encode_array,
    set: _encode_set,
}
_DECODERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Counter": lambda fields: Counter(fields["items"]),
    "HistoryBuffer": _decode_history,
    "ndarray": _decode_array,
    "set": lambda fields: set(fields["items"]),
}


def _unknown(value: Any, path: str) -> PlainDataError:
    return PlainDataError(
        "a checkpoint holds tensors, plain containers, numbers and strings only, got "
        f"{type(value).__module__}.{type(value).__qualname__} at '{path}'; store a "
        "plain value there, or do not mark it as resumed in the message hub"
    )


def to_plain(value: Any, path: str) -> Any:
    """Rebuild a value from types that `torch.load(weights_only=True)` accepts.

    Args:
        value: nested containers of tensors, numbers, strings, numpy values and
            `HistoryBuffer`s. Tensors are passed on, not copied.
        path: dotted name of the value, for error messages.

    Returns:
        The same structure; what has no plain form of its own became a dict that
        `from_plain` recognises.

    Raises:
        PlainDataError: for any other type.
    """
    if type(value) in _ATOMS:
        return value
    if type(value) in _ENCODERS:
        return _ENCODERS[type(value)](value, path)
    if isinstance(value, np.generic):
        number = value.item()
        if isinstance(number, np.generic):  # longdouble has no Python counterpart
            raise _unknown(value, path)
        return to_plain(number, path)
    if isinstance(value, dict):
        return _map_dict(
            value,
            lambda key, item: (to_plain(key, path), to_plain(item, _at(path, key))),
        )
    if type(value) in (list, tuple):
        return type(value)(
            to_plain(item, f"{path}[{index}]") for index, item in enumerate(value)
        )
    raise _unknown(value, path)


def from_plain(value: Any) -> Any:
    """Restore what `to_plain` encoded; everything else is returned as it is.

    Args:
        value: a part of a loaded checkpoint.

    Returns:
        The same structure with `HistoryBuffer`s, arrays, counters and sets restored.
    """
    if isinstance(value, dict):
        restored = _map_dict(value, lambda key, item: (key, from_plain(item)))
        decode = _DECODERS.get(value.get(_TYPE_KEY))
        # Fields of an encoded value are plain or encoded themselves, so arrays inside
        # a HistoryBuffer are decoded from the original fields.
        return decode(value) if decode else restored
    if type(value) in (list, tuple):
        return type(value)(from_plain(item) for item in value)
    return value


def _at(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _map_dict(value: dict, convert: Callable[[Any, Any], tuple[Any, Any]]) -> dict:
    """Rebuild a dict; an OrderedDict keeps its class and its attributes.

    `nn.Module.state_dict` returns an OrderedDict whose `_metadata` holds the version
    of each module; without it, old layouts are assumed on loading.
    """
    items = (convert(key, item) for key, item in value.items())
    if type(value) is not OrderedDict:
        return dict(items)
    ordered = OrderedDict(items)
    ordered.__dict__.update(value.__dict__)
    return ordered
