"""Published numbers as data: which model, which file, which AP, what was checked."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .errors import PublishedTableError


@dataclass(frozen=True)
class Statement:
    """Something that was checked, or was not.

    Args:
        text: What.
        tests: The tests that check it, below the repository root.
    """

    text: str
    tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where numbers and files come from.

    Args:
        title: Its name.
        url: Its page.
        licence: Name of the licence of its files; empty if it has none we name.
        licence_url: The text of the licence.
        accept: Whether the user has to accept the licence before a download.
    """

    title: str
    url: str
    licence: str = ""
    licence_url: str = ""
    accept: bool = False


@dataclass(frozen=True)
class Dataset:
    """A validation set.

    Args:
        title: Its name.
        tolerance: Largest difference in AP that is no evidence of an error.
        server: Who evaluates it, where the ground truth is withheld.
    """

    title: str
    tolerance: float
    server: str = ""


@dataclass(frozen=True)
class PublicFile:
    """A released checkpoint.

    Args:
        url: Its address; empty if users only ever bring their own file.
        layout: How its tensors are named (``tmt_vis.checkpoints.LAYOUTS``).
        labels: Label space of its classifier, for files that do not say it.
        hash: Algorithm whose first digits the file name carries; empty if none.
    """

    url: str = ""
    layout: str = "auto"
    labels: str | None = None
    hash: str = ""

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def digest(self) -> tuple[str, str] | None:
        """Algorithm and first digits of its digest, as far as they are known."""
        found = re.search(r"[_-]([0-9a-f]{6,8})\.\w+$", self.file_name)
        return (self.hash, found[1]) if self.hash and found else None


@dataclass(frozen=True)
class TestSettings:
    """What the published test did, where the config may say otherwise.

    Args:
        scale: Long and short side that frames are resized to, in pixels.
        backend: Library that resizes, ``cv2`` or ``pillow``.
        tracks: Tracks kept per video.
    """

    __test__ = False  # not a test of pytest's

    scale: tuple[int, int] | None = None
    backend: str | None = None
    tracks: int | None = None


@dataclass(frozen=True)
class PublishedRow:
    """One model and its published numbers.

    Args:
        name: What the command line calls it.
        method: The method.
        backbone: The backbone, and the labels if it saw fewer.
        source: Who published it.
        published: Dataset -> metric -> percent.
        tolerances: Dataset -> tolerance of AP in percent.
        config: The config; None if this repository does not host the method.
        options: ``KEY=VALUE`` for ``--cfg-options`` in training and test.
        trained_on: Datasets.
        parameters: Millions of them, in the model of the config.
        checkpoint: The released file; None if there is none.
        test: Settings of the published test.
        verified: What was checked here.
        not_verified: What was not.
        group: Title of its group.
    """

    name: str
    method: str
    backbone: str
    source: Source
    published: dict[str, dict[str, float]]
    tolerances: dict[str, float]
    config: Path | None = None
    options: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    parameters: float | None = None
    checkpoint: PublicFile | None = None
    test: TestSettings = field(default_factory=TestSettings)
    verified: tuple[Statement, ...] = ()
    not_verified: tuple[Statement, ...] = ()
    group: str = ""

    @property
    def state(self) -> str:
        """What stands between the user and a number."""
        if self.config is None:
            return "not hosted yet"
        return "to train" if self.checkpoint is None else "public weights"


@dataclass(frozen=True)
class PublishedTable:
    """All rows.

    Args:
        path: The file.
        datasets: Validation sets by name.
        option_sets: Options that go together, by name.
        rows: Rows by name, in the order of the file.
        about: Remarks by title of the group.
    """

    path: Path
    datasets: dict[str, Dataset]
    option_sets: dict[str, list[str]]
    rows: dict[str, PublishedRow]
    about: dict[str, str]

    def row(self, name: str) -> PublishedRow:
        """Look a row up.

        Raises:
            PublishedTableError: If there is none of that name.
        """
        if name not in self.rows:
            parts = set(re.split(r"[_-]", name))
            likely = sorted(
                self.rows, key=lambda row: -len(parts & set(re.split(r"[_-]", row)))
            )
            raise PublishedTableError(
                f"{self.path.name} has no row {name!r}; similar ones are "
                f"{', '.join(likely[:3])}; --list shows all {len(self.rows)}"
            )
        return self.rows[name]
