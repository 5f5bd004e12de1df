"""Every object and every track is counted once, in the right cell."""

import numpy as np
import pytest
from ap_reference import FRAMES, box_tube
from vis_files import write_simple

from tmt_vis.evaluation import PredictedTubes, load_annotations
from tmt_vis.evaluation.analysis import confusion_matrix
from tmt_vis.structures import TubeRLE

BOXES = dict(a=(0, 0, 6, 6), b=(8, 0, 6, 6), c=(0, 12, 6, 6), crowd=(8, 12, 8, 8))
NAMES = {1: "dog", 2: "cat", 3: "cow"}


@pytest.fixture
def annotations(tmp_path):
    """Dog a, cat b, cat c and a crowd of dogs in video 1; video 2 is empty."""
    objects = [
        (1, 1, BOXES["a"], 0),
        (1, 2, BOXES["b"], 0),
        (1, 2, BOXES["c"], 0),
        (1, 1, BOXES["crowd"], 1),
    ]
    path = write_simple(tmp_path / "ann.json", objects, names=NAMES, num_videos=2)
    return load_annotations(path)


def tracks(*rows):
    """Predict (box, name, score) rows."""
    names = list(NAMES.values())
    return PredictedTubes(
        [TubeRLE.from_masks(box_tube(b, np.ones(FRAMES))) for b, _, _ in rows],
        np.array([names.index(name) for _, name, _ in rows], dtype=np.int64),
        np.array([score for _, _, score in rows]),
    )


@pytest.fixture
def matrix(annotations):
    return confusion_matrix(
        annotations,
        {
            1: tracks(
                (BOXES["a"], "cat", 0.6),  # a duplicate: the cow is better
                (BOXES["a"], "cow", 0.9),
                (BOXES["b"], "cat", 0.3),
                (BOXES["c"], "cat", 0.29),  # below the threshold, so c is missed
                (BOXES["crowd"], "dog", 0.8),
            ),
            2: tracks((BOXES["a"], "dog", 0.5), (BOXES["b"], "cow", 0.1)),
        },
    )


def test_cells(matrix):
    expected = np.zeros((4, 4), dtype=int)
    expected[0, 2] = 1  # dog a taken for a cow
    expected[1, 1] = 1  # cat b
    expected[1, 3] = 1  # cat c missed
    expected[3, 0] = 1  # a dog in the empty video
    np.testing.assert_array_equal(matrix.counts, expected)
    assert (matrix.num_duplicates, matrix.num_ignored) == (1, 1)
    assert matrix.pairs() == [("dog", "cow", 1, 1.0)]
    assert list(matrix.totals().values()) == [3, 1, 1, 1, 1, 1, 1]


def test_text_and_picture_data(matrix):
    assert "| dog    | cow       |     1 |            100.0 |" in matrix.to_text()
    rows, columns, counts = matrix.shown()
    assert rows == ["dog", "cat", "cow", "background"]
    assert columns == ["dog", "cat", "cow", "missed"] and counts.shape == (4, 4)


def test_unused_categories_are_not_shown(annotations):
    matrix = confusion_matrix(annotations, {1: tracks((BOXES["a"], "dog", 1.0))})
    assert matrix.shown()[0] == ["dog", "cat", "background"]
    assert matrix.to_text().endswith("no object was taken for another category")


def test_overlap_decides(annotations):
    """A track on two objects takes the one it overlaps more; a poor one takes none."""
    half = (0, 0, 6, 3)
    found = {1: tracks((half, "cow", 0.9))}
    for iou_thr, cell in ((0.4, (0, 2)), (0.6, (3, 2))):
        counts = confusion_matrix(annotations, found, iou_thr=iou_thr).counts
        assert counts[cell] == 1 and counts[:, 2].sum() == 1
    with pytest.raises(ValueError, match=r"iou_thr must be in \(0, 1\], got 0"):
        confusion_matrix(annotations, found, iou_thr=0)
