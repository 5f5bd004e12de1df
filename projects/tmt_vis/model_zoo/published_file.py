"""The file of published results (configs/published_results.yml)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from .errors import PublishedTableError
from .published import (
    Dataset,
    PublicFile,
    PublishedRow,
    PublishedTable,
    Source,
    Statement,
    TestSettings,
)

# Fields of a group that its rows inherit, and those that add up.
_LISTS = ("verified", "not_verified")
_ROW_FIELDS = {f.name for f in fields(PublishedRow)} | {"tolerance"}
_ROW_FIELDS -= {"group", "tolerances"}
_GROUP_FIELDS = _ROW_FIELDS - {"name", "published"} | {"title", "about", "rows"}


def load_published(path: str | Path) -> PublishedTable:
    """Read a table of published results.

    Args:
        path: YAML file; config paths in it are relative to its folder.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If there is no such file.
        PublishedTableError: If it is malformed.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text())
        return _Reader(path, content).table()
    except PublishedTableError:
        raise
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise PublishedTableError(
            f"{path} is no table of published results ({type(error).__name__}: {error})"
        ) from error


class _Reader:
    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path = path
        self.groups = content["groups"]
        self.metrics = content["metrics"]
        self.option_sets = content.get("option_sets", {})
        self.datasets = {k: Dataset(**v) for k, v in content["datasets"].items()}
        self.sources = {k: _source(v) for k, v in content["sources"].items()}
        self.statements = {
            k: Statement(v["text"], tuple(v.get("tests", ())))
            for k, v in content.get("statements", {}).items()
        }

    def table(self) -> PublishedTable:
        rows = {}
        for row in self._rows():
            if row.name in rows:
                raise PublishedTableError(f"{self.path}: two rows named {row.name!r}")
            rows[row.name] = row
        self._check_file_names(rows.values())
        about = {group["title"]: group.get("about", "") for group in self.groups}
        return PublishedTable(self.path, self.datasets, self.option_sets, rows, about)

    def _check_file_names(self, rows: Iterable[PublishedRow]) -> None:
        # Downloads lie in one folder: one of two files would be taken for the other.
        urls: dict[str, str] = {}
        for row in rows:
            file = row.checkpoint or PublicFile()
            if file.url and urls.setdefault(file.file_name, file.url) != file.url:
                raise PublishedTableError(
                    f"{self.path}: the file names of checkpoints must differ, got "
                    f"{urls[file.file_name]} and {file.url}"
                )

    def _rows(self) -> Iterator[PublishedRow]:
        for group in self.groups:
            self._check_fields(group, _GROUP_FIELDS, group["title"])
            for row in group["rows"]:
                self._check_fields(row, _ROW_FIELDS, row["name"])
                yield self._row(group, row)

    def _row(self, group: Mapping[str, Any], row: Mapping[str, Any]) -> PublishedRow:
        merged = {k: v for k, v in group.items() if k in _ROW_FIELDS} | dict(row)
        for name in _LISTS:
            keys = [*group.get(name, ()), *row.get(name, ())]
            merged[name] = tuple(self._find("statements", key) for key in keys)
        # A row without a file of its own has none: the group only describes files.
        file = row.get("checkpoint")
        if file is not None:
            file = PublicFile(**group.get("checkpoint", {}) | file)
        config = merged.pop("config", None)
        tolerance = merged.pop("tolerance", {})
        published = {
            name: self._numbers(values) for name, values in merged["published"].items()
        }
        return PublishedRow(
            **merged
            | dict(
                source=self._find("sources", merged["source"]),
                published=published,
                tolerances={
                    name: tolerance.get(name, self._find("datasets", name).tolerance)
                    for name in published
                },
                config=None if config is None else self.path.parent / config,
                options=tuple(self._options(merged.get("options", ()))),
                trained_on=tuple(merged.get("trained_on", ())),
                checkpoint=file,
                test=_settings(merged.get("test", {})),
                group=group["title"],
            )
        )

    def _numbers(self, values: "list[float] | Mapping[str, float]") -> dict[str, float]:
        """Name numbers: those of the file's metrics in order, or by name as given."""
        if isinstance(values, Mapping):
            return dict(values)
        return dict(zip(self.metrics, values, strict=False))

    def _options(self, entries: list[str]) -> Iterator[str]:
        for entry in entries:
            if "=" in entry:
                yield entry
            else:
                yield from self._find("option_sets", entry)

    def _find(self, kind: str, key: str) -> Any:
        known = getattr(self, kind)
        if key not in known:
            raise PublishedTableError(
                f"{self.path}: {kind} has no {key!r}, only {', '.join(known)}"
            )
        return known[key]

    def _check_fields(
        self, entry: Mapping[str, Any], known: set[str], name: str
    ) -> None:
        strange = sorted(set(entry) - known)
        if strange:
            raise PublishedTableError(
                f"{self.path}: {name!r} has the unknown field {strange[0]!r}; fields "
                f"are {', '.join(sorted(known))}"
            )


def _source(entry: Mapping[str, Any]) -> Source:
    licence = entry.get("licence", {})
    return Source(
        title=entry["title"],
        url=entry["url"],
        licence=licence.get("name", ""),
        licence_url=licence.get("url", ""),
        accept=licence.get("accept", False),
    )


def _settings(entry: Mapping[str, Any]) -> TestSettings:
    scale = entry.get("scale")
    return TestSettings(**dict(entry, scale=None if scale is None else tuple(scale)))
