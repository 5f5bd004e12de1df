"""Where the bundled data files live."""

import importlib.util
import os
from pathlib import Path

from .errors import TaxonomyError

LINKS_FILE = "links.json"
_REPOSITORY_DATA = Path(__file__).resolve().parents[3] / "data"


def _packaged_data() -> Path | None:
    # A wheel carries data/ as the package tmt_vis.data, which has no __init__.
    spec = importlib.util.find_spec("tmt_vis.data")
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _holds_taxonomies(root: Path) -> bool:
    return (root / "taxonomies" / LINKS_FILE).is_file()


def data_root() -> Path:
    """Return the folder that holds ``taxonomies/`` and ``text_embeddings/``.

    ``$TMT_VIS_DATA`` wins, then the repository the package runs from (an editable
    install), then the data packaged into a wheel.

    Returns:
        The path of the data folder.

    Raises:
        TaxonomyError: If none of the three holds the bundled label spaces.
    """
    override = os.environ.get("TMT_VIS_DATA")
    if override:
        root = Path(override).expanduser()
        if not _holds_taxonomies(root):
            raise TaxonomyError(
                f"$TMT_VIS_DATA must name a folder with taxonomies/{LINKS_FILE}, "
                f"got {override!r}; unset it or point it at the repository's data/"
            )
        return root
    if _holds_taxonomies(_REPOSITORY_DATA):
        return _REPOSITORY_DATA
    packaged = _packaged_data()
    if packaged is not None and _holds_taxonomies(packaged):
        return packaged
    raise TaxonomyError(
        f"the bundled label spaces were not found: neither {_REPOSITORY_DATA} nor the "
        "package tmt_vis.data holds taxonomies/; set TMT_VIS_DATA to the repository's "
        "data/ folder, or install with `pip install -e .`"
    )


def bundled_names() -> tuple[str, ...]:
    """Return the names of the label spaces that ship with the package, sorted."""
    files = (data_root() / "taxonomies").glob("*.json")
    return tuple(sorted(path.stem for path in files if path.name != LINKS_FILE))


def bundled_path(name: str) -> Path:
    """Return the JSON file of a bundled label space.

    Args:
        name: One of `bundled_names`.

    Returns:
        The path of its file, which exists only for bundled names.
    """
    return data_root() / "taxonomies" / f"{name}.json"
