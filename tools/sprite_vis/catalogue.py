"""Which concepts exist, and which of them each miniature dataset draws."""

from collections.abc import Iterable, Sequence

from tmt_vis.taxonomy import Taxonomy
from tmt_vis.taxonomy.names import normalise_name

# Looks are numbered by this union whatever datasets are asked for, so that a concept
# looks the same in every generated folder.
ALL_DATASETS = ("ytvis19", "ytvis21", "ovis", "uvo")

# Share of a drawn subset that has a `same` link into YTVIS19. OVIS 20 of 25 and YTVIS21
# 36 of 40 as in the label spaces (Table 9 of the paper); UVO has 19 of 81, which would
# leave a six-class subset one shared class, so half is drawn instead.
SHARED_RATIO = {"ytvis21": 0.9, "ovis": 0.8, "uvo": 0.5}

# Drawn first, in this order; the rest follows in file order. The first six contain a
# class spelled differently in every dataset (motorbike) and one that only YTVIS has
# (duck), for which naive joint training hurts (Table 11).
FIRST_DRAWN = {
    "ytvis19": (
        "person dog motorbike zebra parrot duck horse boat turtle sedan elephant "
        "giraffe fish skateboard airplane bear"
    ),
    "ytvis21": "squirrel whale flying_disc bird",
    "ovis": "poultry sheep vehical bird bicycle",
    "uvo": "umbrella chair bottle other bus clock pizza kite mouse",
}


class Catalogue:
    """The concepts of all bundled video label spaces.

    A concept is one union category of ``ALL_DATASETS``; its ``union_id`` in that
    fixed union numbers its look.
    """

    def __init__(self) -> None:
        self.taxonomy = Taxonomy.from_label_spaces(ALL_DATASETS)
        self.label_spaces = self.taxonomy.label_spaces
        self._union = {
            name: self.taxonomy.slot_to_union(name).tolist() for name in ALL_DATASETS
        }

    def __len__(self) -> int:
        return self.taxonomy.num_categories

    def concepts(self, dataset: str) -> list[int]:
        """Return the union_id of every slot of a dataset, in slot order."""
        return list(self._union[dataset])

    def slot_name(self, dataset: str, slot: int) -> str:
        """Return a category's name as the dataset's own file spells it."""
        return self.label_spaces[dataset].names[slot]

    def has_meaning(self, dataset: str, slot: int) -> bool:
        """Whether a category is more than 'anything else', such as UVO's 'other'."""
        return self.label_spaces[dataset].categories[slot].has_text

    def keys(self, union_id: int) -> tuple[str, ...]:
        """Return a concept's ``dataset:name`` keys, normalised, in dataset order."""
        slots = {
            dataset: union.index(union_id)
            for dataset, union in self._union.items()
            if union_id in union
        }
        return tuple(
            f"{dataset}:{normalise_name(self.slot_name(dataset, slot))}"
            for dataset, slot in slots.items()
        )

    def near_groups(self) -> tuple[tuple[int, ...], ...]:
        """Return the connected components of the `near` links, each ascending.

        Groups with concepts that small subsets draw come first, so that those get the
        most distinct looks.
        """
        group_of = list(range(len(self)))
        for union_id in range(len(self)):
            for other in self.taxonomy.near(union_id):
                keep, drop = sorted((group_of[union_id], group_of[other]))
                group_of = [keep if g == drop else g for g in group_of]
        members: dict[int, list[int]] = {}
        for union_id, group in enumerate(group_of):
            members.setdefault(group, []).append(union_id)
        rank = {union_id: i for i, union_id in enumerate(self._draw_order())}
        groups = [tuple(ids) for ids in members.values()]
        groups.sort(key=lambda ids: min(rank[union_id] for union_id in ids))
        return tuple(groups)

    def _draw_order(self) -> list[int]:
        """Return all union ids, those of FIRST_DRAWN first, by place in their list."""
        places = [
            (place, self._union[dataset][slot])
            for dataset in self._union
            for place, slot in enumerate(priority(self, dataset))
        ]
        return list(dict.fromkeys(union_id for _, union_id in sorted(places)))


def priority(catalogue: Catalogue, dataset: str) -> list[int]:
    """Return a dataset's slots, the ones to draw first in front."""
    names = [normalise_name(n) for n in catalogue.label_spaces[dataset].names]
    head = [names.index(name) for name in FIRST_DRAWN[dataset].split()]
    return head + [slot for slot in range(len(names)) if slot not in head]


def _select_count(
    catalogue: Catalogue, datasets: Iterable[str], count: int
) -> dict[str, list[int]]:
    """Draw `count` slots per dataset with the shared fractions of SHARED_RATIO."""
    anchor_slots = priority(catalogue, "ytvis19")
    anchor = [catalogue.concepts("ytvis19")[slot] for slot in anchor_slots]
    selected = {}
    for dataset in datasets:
        if dataset == "ytvis19":
            selected[dataset] = sorted(anchor_slots[:count])
            continue
        concepts = catalogue.concepts(dataset)
        shared = [concepts.index(c) for c in anchor if c in concepts]
        own = [s for s in priority(catalogue, dataset) if s not in shared]
        num_shared = min(round(count * SHARED_RATIO[dataset]), len(shared))
        num_own = min(count - num_shared, len(own))
        num_shared = min(count - num_own, len(shared))
        selected[dataset] = sorted(shared[:num_shared] + own[:num_own])
    return selected


def _select_names(
    catalogue: Catalogue, datasets: Iterable[str], names: Sequence[str]
) -> dict[str, list[int]]:
    """Draw the concepts named, each in every dataset that has it."""
    known: dict[str, set[int]] = {}
    for union_id in range(len(catalogue)):
        for key in catalogue.keys(union_id):
            known.setdefault(key, set()).add(union_id)
            known.setdefault(key.partition(":")[2], set()).add(union_id)
    unknown = [n for n in names if _name_key(n) not in known]
    if unknown:
        raise ValueError(
            f"--classes must name categories of {', '.join(ALL_DATASETS)}, got "
            f"{unknown}; use names as in the annotation files, e.g. giant_panda, "
            "or uvo:mouse where a name means two things"
        )
    wanted = set().union(*(known[_name_key(n)] for n in names))
    return {
        dataset: [s for s, c in enumerate(catalogue.concepts(dataset)) if c in wanted]
        for dataset in datasets
    }


def _name_key(name: str) -> str:
    dataset, colon, rest = name.rpartition(":")
    return f"{dataset.strip()}{colon}{normalise_name(rest)}"


def select_classes(
    catalogue: Catalogue, datasets: Sequence[str], classes: str
) -> dict[str, list[int]]:
    """Choose the categories each dataset draws.

    Args:
        catalogue: all concepts.
        datasets: names out of ``ALL_DATASETS``.
        classes: a count per dataset, ``all``, or a comma-separated list of names.

    Returns:
        dataset -> ascending slots of its label space.

    Raises:
        ValueError: an unknown name, a count below 1, or a dataset left without a class.
    """
    if classes == "all":
        return {d: list(range(len(catalogue.label_spaces[d]))) for d in datasets}
    if classes.lstrip("-").isdigit():
        if int(classes) < 1:
            raise ValueError(
                f"--classes must be at least 1, got {classes}; give a count, "
                "'all' or names"
            )
        return _select_count(catalogue, datasets, int(classes))
    names = [name.strip() for name in classes.split(",")]
    selected = _select_names(catalogue, datasets, names)
    empty = [dataset for dataset, slots in selected.items() if not slots]
    if empty:
        raise ValueError(
            f"every dataset needs at least one class, but none of {names} is in "
            f"{empty}; name one of its categories or leave it out of --datasets"
        )
    return selected
