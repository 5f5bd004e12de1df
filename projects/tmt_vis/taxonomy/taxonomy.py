"""Taxonomy: the union of label spaces, with every map between the three id spaces.

``source_id`` (in a dataset's file) <-> ``slot`` (index in a dataset's label space)
<-> ``union_id`` (index in the union). Categories share a union id only by `same`
links. Order of the union: label spaces as given, slots in order, first appearance;
categories without text come last.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from .errors import TaxonomyError
from .label_space import LabelSpace
from .links import NearPair
from .names import nearest_names
from .prompts import DEFAULT_TEMPLATE, format_prompt
from .union import build_union

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taxonomy:
    """A union of label spaces; build it with `from_label_spaces`.

    Args:
        label_spaces: The label spaces by name, in the order given.
        names: Unique display name of each union id, (K,).
        nouns: What prompts call each union id; None without text, (K,).
        slots_to_union: Union id of each slot, per label space.
        near_pairs: Related union ids.
    """

    label_spaces: dict[str, LabelSpace]
    names: tuple[str, ...]
    nouns: tuple[str | None, ...]
    slots_to_union: dict[str, tuple[int, ...]]
    near_pairs: tuple[NearPair, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise TaxonomyError(f"union names must be unique, got {list(self.names)}")
        if len(self.nouns) != len(self.names):
            raise TaxonomyError(
                f"a taxonomy needs one noun per name, got {len(self.nouns)} nouns for "
                f"{len(self.names)} names"
            )
        used: set[int] = set()
        for name, space in self.label_spaces.items():
            union_ids = self.slots_to_union.get(name, ())
            if len(union_ids) != len(space) or len(set(union_ids)) != len(space):
                raise TaxonomyError(
                    f"each of the {len(space)} slots of {name!r} needs a union id of "
                    f"its own, got {list(union_ids)}"
                )
            used.update(union_ids)
        if used != set(range(len(self.names))):
            raise TaxonomyError(
                f"union ids must be 0..{len(self.names) - 1}, each used by some label "
                f"space; got {sorted(used)}"
            )

    @classmethod
    def from_label_spaces(
        cls, label_spaces: "Sequence[str | PathLike[str] | LabelSpace]"
    ) -> "Taxonomy":
        """Build the union of label spaces.

        Args:
            label_spaces: Bundled names, paths of JSON files, or LabelSpace objects.

        Returns:
            The union; only `same` links merge categories.

        Raises:
            TaxonomyError: If a label space or link breaks a rule, or none is given.
        """
        if isinstance(label_spaces, (str, PathLike)) or not label_spaces:
            raise TaxonomyError(
                f"give a non-empty list of label spaces, got {label_spaces!r}"
            )
        spaces: dict[str, LabelSpace] = {}
        for item in label_spaces:
            space = item if isinstance(item, LabelSpace) else LabelSpace.load(item)
            if space.name in spaces:
                raise TaxonomyError(
                    f"label space {space.name!r} is given twice; list each once"
                )
            spaces[space.name] = space
        union = build_union(spaces)
        for note in union.kept_apart:
            _LOGGER.warning("%s", note)
        return cls(
            label_spaces=spaces,
            names=union.names,
            nouns=union.nouns,
            slots_to_union=union.slots_to_union,
            near_pairs=union.near_pairs,
        )

    @property
    def num_categories(self) -> int:
        """K, the number of union ids."""
        return len(self.names)

    @property
    def has_text(self) -> np.ndarray:
        """Whether each union id has a prompt, (K,) bool."""
        return np.array([noun is not None for noun in self.nouns])

    def prompts(self, template: str = DEFAULT_TEMPLATE) -> tuple[str | None, ...]:
        """Return the prompt of each union id, None where there is no text.

        Args:
            template: Text with exactly one ``{}``.

        Returns:
            K prompts.

        Raises:
            TaxonomyError: If the template does not have exactly one ``{}``.
        """
        return tuple(
            None if noun is None else format_prompt(template, noun)
            for noun in self.nouns
        )

    def _space(self, label_space: str) -> LabelSpace:
        try:
            return self.label_spaces[label_space]
        except KeyError:
            raise TaxonomyError(
                f"label space {label_space!r} is not part of this taxonomy of "
                f"{', '.join(self.label_spaces)} "
                f"({nearest_names(label_space, self.label_spaces)})"
            ) from None

    def _check_union_id(self, union_id: int) -> None:
        if not 0 <= union_id < self.num_categories:
            raise TaxonomyError(
                f"union_id must be in [0, {self.num_categories}), got {union_id}"
            )

    def slot_to_union(self, label_space: str) -> np.ndarray:
        """Return the union id of each slot, (len(label_space),) int64."""
        self._space(label_space)
        return np.array(self.slots_to_union[label_space], dtype=np.int64)

    def union_to_slot(self, label_space: str) -> np.ndarray:
        """Return the slot of each union id, (K,) int64; -1 where it is absent."""
        slots = np.full(self.num_categories, -1, dtype=np.int64)
        union_ids = self.slot_to_union(label_space)
        slots[union_ids] = np.arange(len(union_ids))
        return slots

    def source_ids(self, union_id: int) -> dict[str, int]:
        """Return the source id of a union id in each label space that has it.

        Raises:
            TaxonomyError: If the union id is outside [0, K).
        """
        self._check_union_id(union_id)
        return {
            name: space.source_ids[self.slots_to_union[name].index(union_id)]
            for name, space in self.label_spaces.items()
            if union_id in self.slots_to_union[name]
        }

    def near(self, union_id: int) -> tuple[int, ...]:
        """Return the union ids declared near to one, sorted.

        Raises:
            TaxonomyError: If the union id is outside [0, K).
        """
        self._check_union_id(union_id)
        pairs = [(pair.a, pair.b) for pair in self.near_pairs]
        pairs += [(b, a) for a, b in pairs]
        return tuple(sorted({b for a, b in pairs if a == union_id}))

    def near_slots(self, label_space: str) -> tuple[tuple[int, ...], ...]:
        """Return which union ids may be pooled into each slot's score.

        Near pooling scores a slot by the maximum over these union ids. It is meant
        for zero-shot tests, where a class such as OVIS 'Vehical' was never trained
        but 'sedan' and 'truck' were; leave it off otherwise. Union ids that are slots
        of the label space itself are never pooled into another slot.

        Args:
            label_space: Name of the label space to be scored.

        Returns:
            Per slot, its own union id followed by the near ones.
        """
        own = set(self.slots_to_union[self._space(label_space).name])
        blocked = {
            frozenset((pair.a, pair.b))
            for pair in self.near_pairs
            if label_space in pair.not_for
        }
        return tuple(
            (
                union_id,
                *(
                    near
                    for near in self.near(union_id)
                    if near not in own and frozenset((union_id, near)) not in blocked
                ),
            )
            for union_id in self.slots_to_union[label_space]
        )

    def seen(self, train_spaces: Sequence[str], test_space: str) -> np.ndarray:
        """Tell which classes of a test label space occur in training.

        Args:
            train_spaces: Names of the label spaces trained on.
            test_space: Name of the label space tested.

        Returns:
            (len(test_space),) bool, True where the union id of the slot belongs to
            some training label space.
        """
        if isinstance(train_spaces, str):
            raise TaxonomyError(f"train_spaces must be a list, got {train_spaces!r}")
        trained = [self.slot_to_union(space) for space in train_spaces]
        union_ids = np.concatenate(trained) if trained else np.zeros(0, np.int64)
        return np.isin(self.slot_to_union(test_space), union_ids)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the ordered names and of every id map."""
        content = {
            "names": self.names,
            "has_text": self.has_text.tolist(),
            "label_spaces": [
                [name, space.source_ids, space.names, self.slots_to_union[name]]
                for name, space in self.label_spaces.items()
            ],
        }
        text = json.dumps(content, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `from_dict` needs no data file to read it back."""
        return {
            "label_spaces": [space.to_dict() for space in self.label_spaces.values()],
            "names": list(self.names),
            "nouns": list(self.nouns),
            "slots_to_union": {k: list(v) for k, v in self.slots_to_union.items()},
            "near_pairs": [[p.a, p.b, list(p.not_for)] for p in self.near_pairs],
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Taxonomy":
        """Rebuild a taxonomy from `to_dict`, e.g. out of a checkpoint.

        Raises:
            TaxonomyError: If the data is malformed or its fingerprint differs.
        """
        try:
            spaces = [LabelSpace.from_dict(space) for space in state["label_spaces"]]
            maps = {k: tuple(v) for k, v in state["slots_to_union"].items()}
            pairs = tuple(NearPair(a, b, tuple(n)) for a, b, n in state["near_pairs"])
            taxonomy = cls(
                label_spaces={space.name: space for space in spaces},
                names=tuple(state["names"]),
                nouns=tuple(state["nouns"]),
                slots_to_union=maps,
                near_pairs=pairs,
            )
            saved = state["fingerprint"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TaxonomyError(f"not a saved taxonomy: {error!r}") from error
        if taxonomy.fingerprint != saved:
            raise TaxonomyError(
                f"a saved taxonomy was altered: fingerprint {saved[:12]} was recorded, "
                f"its content has {taxonomy.fingerprint[:12]}"
            )
        return taxonomy

    def summary(self) -> str:
        """Return a table that counts what each label space shares and adds."""
        total = sum(map(len, self.label_spaces.values()))
        lines = [
            f"{self.num_categories} union categories ({int(self.has_text.sum())} with "
            f"text) from {total} categories of {len(self.label_spaces)} label spaces"
        ]
        known: set[int] = set()
        for name, union_ids in self.slots_to_union.items():
            new = set(union_ids) - known
            shared = len(union_ids) - len(new)
            known |= new
            lines.append(
                f"  {name}: {len(union_ids)} categories, {shared} shared with the "
                f"above, {len(new)} new"
            )
        return "\n".join(lines)
