"""The released models as a table for people."""

from collections.abc import Mapping, Sequence

from tmt_vis.printing import format_table

from .downloads import downloads
from .opening import is_cached
from .released import ReleasedModel

_HEADER = (
    "name",
    "trained on",
    "host",
    "backbone",
    "licence",
    "size",
    "published AP",
    "cached",
)


def format_models(models: Mapping[str, ReleasedModel]) -> str:
    """List models: name, data, host, licence, size, published AP, cached or not.

    Args:
        models: By name.

    Returns:
        Lines, aligned.
    """
    return format_table(_HEADER, [_cells(model) for model in models.values()])


def _cells(model: ReleasedModel) -> Sequence[str]:
    row = model.row
    here = is_cached(model)
    aps = (f"{name} {numbers['AP']:.1f}" for name, numbers in row.published.items())
    return (
        row.name,
        ", ".join(model.datasets),
        row.method,
        row.backbone,
        row.source.licence.split(" (")[0],
        _size(model, here),
        ", ".join(aps),
        "ships" if model.shipped is not None else "yes" if here else "no",
    )


def _size(model: ReleasedModel, here: bool) -> str:
    """Return the size of the file, or of its parameters in float32."""
    if here:
        path = model.shipped or downloads() / model.row.checkpoint.file_name
        return f"{path.stat().st_size / 1e6:.0f} MB"
    parameters = model.row.parameters
    return "" if parameters is None else f"about {4 * parameters:.0f} MB"
