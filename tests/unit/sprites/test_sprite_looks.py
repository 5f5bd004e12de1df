"""A concept looks the same in every dataset, and unlike the other concepts."""

import itertools

import numpy as np
import pytest


def _slot(catalogue, dataset, name):
    return catalogue.label_spaces[dataset].names.index(name)


def test_one_concept_has_one_look(catalogue, source):
    names = {
        "ytvis19": "motorbike",
        "ytvis21": "motorbike",
        "ovis": "Motorcycle",
        "uvo": "motorcycle",
    }
    slots = {d: _slot(catalogue, d, name) for d, name in names.items()}
    looks = {source.look(d, slot) for d, slot in slots.items()}
    assert len(looks) == 1
    patches = [
        source.draw(d, slot, size=32, rng=np.random.default_rng(0))[0]
        for d, slot in slots.items()
    ]
    assert all(np.array_equal(patches[0], patch) for patch in patches)


def test_false_friends_have_two_looks(catalogue, source):
    animal = source.look("ytvis19", _slot(catalogue, "ytvis19", "mouse"))
    device = source.look("uvo", _slot(catalogue, "uvo", "mouse"))
    assert animal != device


def test_no_two_concepts_look_alike(catalogue, source):
    looks = {
        union_id: source.look(dataset, slot)
        for dataset in catalogue.label_spaces
        for slot, union_id in enumerate(catalogue.concepts(dataset))
    }
    assert len(looks) == len(catalogue)
    signs = {(k.family, k.pattern, round(k.hue, 3), k.accent) for k in looks.values()}
    assert len(signs) == len(catalogue)


def test_near_concepts_are_similar_but_distinguishable(catalogue, source):
    sedan = source.look("ytvis19", _slot(catalogue, "ytvis19", "sedan"))
    vehicle = source.look("ovis", _slot(catalogue, "ovis", "Vehical"))
    dog = source.look("ytvis19", _slot(catalogue, "ytvis19", "dog"))
    assert sedan.family == vehicle.family != dog.family
    assert abs(sedan.hue - vehicle.hue) < 0.2
    assert sedan.pattern != vehicle.pattern


def test_other_looks_like_nothing_else(catalogue, source):
    slot = _slot(catalogue, "uvo", "other")
    rng = np.random.default_rng(0)
    drawn = {source.draw("uvo", slot, size=24, rng=rng)[0].tobytes() for _ in range(8)}
    assert len(drawn) == 8
    own = {
        source.look(d, s)
        for d in catalogue.label_spaces
        for s in range(len(catalogue.label_spaces[d]))
    }
    assert not own & set(source._reserve)


def test_instances_of_a_class_vary_less_than_classes(catalogue, source):
    from sprite_vis import select_classes

    slots = select_classes(catalogue, ["ytvis19"], "6")["ytvis19"]
    patches = np.array(
        [
            [
                source.draw("ytvis19", s, size=24, rng=np.random.default_rng(k))[0]
                for k in range(3)
            ]
            for s in slots
        ],
        float,
    )
    within = max(
        np.abs(a - b).mean()
        for instances in patches
        for a, b in itertools.combinations(instances, 2)
    )
    assert within > 0
    centres = patches.mean(axis=1)
    for mine, instances in enumerate(patches):
        for instance in instances:
            gaps = np.abs(centres - instance).mean(axis=(1, 2, 3))
            assert gaps.argmin() == mine


@pytest.mark.parametrize("lobes", [3, 4, 5, 6, 7])
def test_silhouettes_fit_their_square_and_fill_it(lobes):
    from sprite_vis.looks import _coverage
    from sprite_vis.silhouettes import FAMILIES, outline

    for family in FAMILIES:
        polygons = outline(family, lobes, np.random.default_rng(lobes))
        assert max(np.abs(points).max() for points in polygons) == pytest.approx(1)
        filled = _coverage(polygons, 40).mean()
        assert 0.25 < filled < 0.95, family


def test_ring_has_a_hole():
    from sprite_vis.looks import _coverage
    from sprite_vis.silhouettes import outline

    coverage = _coverage(outline("ring", 4, np.random.default_rng(0)), 40)
    assert coverage[20, 20] == 0
    assert coverage[20, 4] == 1


def test_patches_are_premultiplied(source):
    patch, _ = source.draw("ytvis19", 0, size=32, rng=np.random.default_rng(0))
    assert patch.dtype == np.uint8
    assert (patch[..., :3] <= patch[..., 3:]).all()
    assert patch[..., 3].max() == 255
    assert (patch[0, 0] == 0).all()
