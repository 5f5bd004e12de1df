"""Key maps: which tensor of a foreign checkpoint becomes which of ours."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from .errors import KeyMapError

Transform = Callable[[Tensor], Tensor]
WEIGHT_AND_BIAS = ("weight", "bias")
NORM_STATE = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class KeyMap:
    """The names of one checkpoint.

    Args:
        names: Our name of each source name. A source that lacks one is damaged.
        transforms: What happens to the value, by source name; the others are copied.
    """

    names: Mapping[str, str]
    transforms: Mapping[str, Transform] = field(default_factory=dict)

    def apply(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename and transform weights.

        Args:
            weights: Exactly the source names of the map.

        Returns:
            Tensors by our names, sharing no storage with each other.

        Raises:
            KeyMapError: If weights are missing, or some have no place.
        """
        unknown = [key for key in weights if key not in self.names]
        missing = [key for key in self.names if key not in weights]
        if unknown:
            raise KeyMapError(
                f"{len(unknown)} tensors of the checkpoint have no place in the model: "
                f"{_some(unknown)}; it is a variant that is not supported, or give "
                "--ignore with a pattern for those you can do without"
            )
        if missing:
            raise KeyMapError(
                f"the checkpoint lacks {len(missing)} of {len(self.names)} tensors: "
                f"{_some(missing)}; is it complete?"
            )
        converted = {}
        for source, target in self.names.items():
            transform = self.transforms.get(source)
            value = weights[source]
            value = value if transform is None else transform(value)
            # A view would be saved with all of the storage it looks at.
            converted[target] = value.contiguous().clone()
        return converted


def renamed(theirs: str, ours: str, leaves: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair the parameters of one module with those of its counterpart."""
    for leaf in leaves:
        yield f"{theirs}.{leaf}", f"{ours}.{leaf}"


def count_indices(keys: Iterable[str], prefix: str) -> int:
    """Count the entries of a module list from the names of its parameters.

    Args:
        keys: All names.
        prefix: What precedes the index, e.g. ``backbone.res2.``.

    Returns:
        Largest index + 1; 0 without any.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    indices = (pattern.match(key) for key in keys)
    return max((int(match[1]) + 1 for match in indices if match), default=0)


def _some(keys: list[str], most: int = 4) -> str:
    rest = len(keys) - most
    return ", ".join(keys[:most]) + (f" and {rest} more" if rest > 0 else "")
