"""TubeRLE: pycocotools is the reference codec, numpy masks are the truth."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

import tmt_vis.structures.tube_rle as tube_rle
from tmt_vis.structures import run_lengths
from tmt_vis.structures.run_lengths import decode_counts, encode_counts
from tmt_vis.structures.tube_rle import (
    TubeRLE,
    encode_tubes,
    frame_areas,
    frame_masks,
    mask_switches,
)

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
MASKS = hnp.arrays(np.bool_, SHAPES)
few = settings(max_examples=40, deadline=None)
GAP = 2**29


def frame_rles(masks):
    """One RLE per frame, by pycocotools alone."""
    return [coco_mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in masks]


def striped(num_frames, height, width, first):
    """Runs that start and end on frame borders in every combination."""
    masks = np.zeros((num_frames, height, width), dtype=bool)
    masks[first::2] = True
    masks[0, -1, -1] = True
    return masks


@few
@given(MASKS)
def test_masks_round_trip_and_areas(masks):
    tube = TubeRLE.from_masks(masks)
    assert np.array_equal(tube.decode(), masks)
    assert tube.area == masks.sum()
    assert np.array_equal(tube.frame_areas(), masks.sum((1, 2)))
    wide = np.asfortranarray(np.concatenate(list(masks), axis=1).astype(np.uint8))
    assert tube.as_coco()["counts"] == coco_mask.encode(wide)["counts"]


@few
@given(st.lists(MASKS, max_size=4))
def test_areas_of_many_tubes_are_those_of_each(masks):
    areas = frame_areas([TubeRLE.from_masks(m) for m in masks])
    assert [a.tolist() for a in areas] == [m.sum((1, 2)).tolist() for m in masks]


@few
@given(MASKS)
def test_frames_round_trip_equals_pycocotools(masks):
    tube = TubeRLE.from_masks(masks)
    frames = tube.to_frames()
    for mask, rle, expected in zip(masks, frames, frame_rles(masks), strict=True):
        assert (rle is None) == (not mask.any())
        if rle is not None:
            assert rle == {
                "size": expected["size"],
                "counts": expected["counts"].decode(),
            }
    assert TubeRLE.from_frames(frames, *masks.shape[1:]) == tube
    assert TubeRLE.from_frames(frame_rles(masks), *masks.shape[1:]) == tube


@few
@given(MASKS, st.data())
def test_parts_concatenate_to_the_tube(masks, data):
    tube = TubeRLE.from_masks(masks)
    cut = data.draw(st.integers(0, len(masks)))
    parts = [tube.part(a, b) for a, b in [(0, cut), (cut, len(masks))] if a < b]
    for part, part_masks in zip(
        parts, [m for m in (masks[:cut], masks[cut:]) if len(m)], strict=True
    ):
        assert part == TubeRLE.from_masks(part_masks)
    assert TubeRLE.concat(parts) == tube


@pytest.mark.parametrize("first", [0, 1])
def test_runs_across_frame_borders(first):
    masks = striped(5, 3, 2, first)
    tube = TubeRLE.from_masks(masks)
    assert TubeRLE.from_frames(frame_rles(masks), 3, 2) == tube
    singles = [tube.part(t, t + 1) for t in range(5)]
    assert TubeRLE.concat(singles) == tube
    assert np.array_equal(np.concatenate([s.decode() for s in singles]), masks)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("num_frames", [1, 4])
def test_constant_tubes(value, num_frames):
    masks = np.full((num_frames, 3, 5), value)
    tube = TubeRLE.from_masks(masks)
    assert tube.area == masks.sum()
    assert [rle is not None for rle in tube.to_frames()] == [value] * num_frames
    assert TubeRLE.from_frames(tube.to_frames(), 3, 5) == tube


@few
@given(st.lists(st.lists(st.integers(0, 2**40), min_size=1), min_size=1))
def test_run_lengths_round_trip_beyond_32_bits(masks):
    lengths = [len(runs) for runs in masks]
    texts = encode_counts(np.concatenate(masks), lengths)
    assert texts == [encode_counts(np.array(runs))[0] for runs in masks]
    runs, got = decode_counts(texts)
    assert got.tolist() == lengths
    assert runs.tolist() == [run for mask in masks for run in mask]


@few
@given(st.lists(st.integers(0, 2**29), min_size=1, max_size=7))
def test_runs_that_pycocotools_has_no_room_for_are_not_given_to_it(runs):
    """It reserves six bytes per run and writes a zero behind the last."""
    text = encode_counts(np.array(runs), [len(runs)])[0]
    with mock.patch.object(run_lengths, "_encode_in_c", return_value=b"in C"):
        in_c = encode_counts(np.array(runs)) == [b"in C"]
    assert not in_c or len(text) + 1 <= 6 * len(runs)
    assert encode_counts(np.array(runs)) == [text]


def test_most_masks_are_written_in_c():
    runs = np.array([2**28, 2, 2**28, 5, 7])  # absent, seen, absent, seen, absent
    assert not run_lengths._fits_c(runs)
    assert run_lengths._fits_c(np.concatenate([runs, np.full(4, 100)]))


@few
@given(st.lists(st.integers(1, 2**20), min_size=1))
def test_run_length_bytes_are_those_of_pycocotools(runs):
    total = sum(runs)
    expected = coco_mask.frPyObjects({"size": [1, total], "counts": runs}, 1, total)
    for lengths in (None, [len(runs)]):  # in C, and vectorised over masks
        assert encode_counts(np.array(runs), lengths)[0] == expected["counts"]


def test_uncompressed_and_non_canonical_frames():
    """Official files hold lists; zero-length runs inside must not change the mask."""
    frames = [{"size": [2, 3], "counts": [1, 2, 0, 1, 2, 0]}, None]
    columns = np.zeros(12, dtype=bool)
    columns[1:4] = True
    masks = columns.reshape(2, 3, 2).transpose(0, 2, 1)  # (T, W, H) -> (T, H, W)
    assert TubeRLE.from_frames(frames, 2, 3) == TubeRLE.from_masks(masks)


def test_memory_that_is_column_major_is_not_copied():
    columns = np.zeros((4, 3), dtype=bool)  # (W, H)
    assert np.shares_memory(tube_rle._columns(columns.T), columns)
    assert tube_rle._columns(columns).tolist() == columns.T.tolist()


@few
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2)), st.booleans())
def test_switches_are_those_of_the_pixels(mask, by_columns):
    if by_columns:
        mask = np.asfortranarray(mask)
    padded = np.concatenate([[False], mask.T.ravel(), [False]])
    expected = np.flatnonzero(padded[1:] != padded[:-1])
    assert mask_switches(mask).tolist() == expected.tolist()
    assert mask_switches(mask, offset=7).tolist() == (expected + 7).tolist()


@pytest.mark.parametrize("columns", [(0, 3), (40, 47), (88, 90), (0, 90), (5, 70)])
@pytest.mark.parametrize("rows", [(0, 9), (20, 80), (99, 100), (0, 100)])
def test_columns_without_the_object_change_nothing(rows, columns):
    mask = np.zeros((100, 90), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    mask[:, 44] = False  # a gap in the middle of wide ones
    expected = mask_switches(np.asfortranarray(mask))
    assert mask_switches(mask).tolist() == expected.tolist()
    tube = TubeRLE.from_frames(frame_rles(mask[None]), *mask.shape)
    assert TubeRLE.from_masks(mask[None]) == tube


def test_encode_tubes_keeps_order():
    masks = np.random.default_rng(0).random((3, 2, 4, 5)) > 0.5
    decoded = [tube.decode() for tube in encode_tubes(masks)]
    assert np.array_equal(np.stack(decoded), masks)


def test_tube_above_uint32_counts_in_64_bit():
    """2,100 frames of 1080p: pycocotools alone would return the area modulo 2**32."""
    height, width, num_frames = 1080, 1920, 2100
    total = height * width * num_frames
    assert total > 2**32
    tube = TubeRLE(encode_counts(np.array([0, total]))[0], height, width, num_frames)
    assert tube.area == total
    assert np.array_equal(tube.frame_areas(), np.full(num_frames, height * width))
    parts = tube.split()
    assert [part.num_frames for part in parts] == [258] * 8 + [36]
    assert all(part.is_coco_readable for part in parts)
    assert sum(part.area for part in parts) == total
    assert TubeRLE.concat(parts) == tube
    with pytest.raises(ValueError, match="use split"):
        tube.as_coco()


def test_large_tubes_are_encoded_and_decoded_in_parts(monkeypatch):
    masks = np.random.default_rng(1).random((7, 4, 5)) > 0.4
    masks[2:5] = False
    tube = TubeRLE.from_masks(masks)
    monkeypatch.setattr(tube_rle, "MAX_COCO_RUN", 45)  # two frames
    assert not tube.is_coco_readable
    assert len(tube.split()) == 4
    assert np.array_equal(tube.decode(), masks)
    monkeypatch.setattr(tube_rle, "MAX_COCO_RUN", 19)  # no frame
    assert np.array_equal(tube.decode(), masks)


@pytest.mark.slow  # 2 s: 540 MB of pixels
def test_a_gap_that_pycocotools_cannot_read():
    """2**29 pixels of background; pycocotools raises on the counts."""
    height, width = 2**10, 2**9
    frames = GAP // (height * width) + 2
    switches = np.array([5, 9, 9 + GAP, 9 + GAP + 7, 9 + GAP + 8, 9 + GAP + 10])
    tube = TubeRLE.from_switches(switches, height, width, num_frames=frames)
    with pytest.raises(ValueError, match="use split"):
        tube.as_coco()
    pixels = tube.decode().transpose(0, 2, 1).reshape(-1)
    assert np.flatnonzero(pixels).tolist() == [
        *range(5, 9),
        *range(9 + GAP, 16 + GAP),
        17 + GAP,
        18 + GAP,
    ]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 5, 900, GAP - 1, GAP, 2 * GAP]), max_size=9))
def test_long_runs_survive_files_and_cuts(lengths):
    """Frames, parts and joints of tubes with runs beyond 2**29, in integers."""
    height, width, frames = 2**14, 2**13, 4 * 40
    total = height * width * frames
    switches = np.cumsum(lengths, dtype=np.int64)
    switches = switches[switches < total]
    tube = TubeRLE.from_switches(switches, height, width, num_frames=frames)
    starts, stops = tube.object_runs()
    assert tube.area == (stops - starts).sum()
    edges = np.stack([starts, stops]).T.ravel()
    assert edges[: len(switches)].tolist() == switches.tolist()
    assert TubeRLE.from_frames(tube.to_frames(), height, width) == tube
    parts = [tube.part(0, 37), tube.part(37, 95), tube.part(95, frames)]
    assert TubeRLE.concat(parts) == tube
    assert TubeRLE.concat(tube.split()) == tube
    assert sum(part.area for part in parts) == tube.area == tube.frame_areas().sum()


@pytest.mark.parametrize(
    "counts", [b"4\x00", b"\x004", b"4 ", b"4\xff", b"p", b"T", b"T4\x7f", b"4\n"]
)
def test_bytes_that_would_corrupt_the_heap_are_refused(counts):
    with pytest.raises(ValueError, match="alphabet|cut inside"):
        TubeRLE(counts, 2, 2, 1)


@few
@given(st.lists(st.integers(48, 111), min_size=1, max_size=30).map(bytes))
def test_counts_that_do_not_fill_the_tube_never_reach_pycocotools(counts):
    """Right bytes with wrong runs: an error, not a read beyond a buffer."""
    try:
        tube = TubeRLE(counts, 4, 5, 3)
        runs = decode_counts([counts])[0]
    except ValueError:
        return
    if runs.sum() == 60:
        assert tube.decode().sum() == tube.area
    else:
        for use in (tube.decode, tube.as_coco, tube.to_frames):
            with pytest.raises(ValueError, match="fill"):
                use()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TubeRLE("0", 1, 1, 1), "bytes"),
        (lambda: TubeRLE(b"", 1, 1, 1), "non-empty"),
        (lambda: TubeRLE(b"4", 2, 2, 0), ">= 1"),
        (lambda: TubeRLE(b"4", 2, 3, 1).area, "fill 4 pixels"),
        (
            lambda: frame_areas([TubeRLE(b"6", 2, 3, 1), TubeRLE(b"4", 2, 3, 1)]),
            "fill 4 pixels",
        ),
        (lambda: TubeRLE(b"T", 2, 3, 1), "cut inside"),
        (lambda: TubeRLE(b"\x01", 2, 3, 1), "alphabet"),
        (lambda: TubeRLE.from_masks(np.zeros((2, 2))), "bool"),
        (lambda: TubeRLE.from_masks(np.zeros((0, 2, 2), bool)), "non-empty"),
        (lambda: encode_tubes(np.zeros((2, 2, 2), bool)), "N, T, H, W"),
        (lambda: TubeRLE.from_frames([], 2, 2), "at least one"),
        (
            lambda: TubeRLE.from_frames([None, {"size": [3, 2], "counts": [6]}], 2, 3),
            "frame 1",
        ),
        (
            lambda: TubeRLE.from_frames([{"size": [2, 3], "counts": [7]}], 2, 3),
            "frame 0: run lengths must .* sum of 7",
        ),
        (lambda: TubeRLE.concat([]), "one H x W"),
        (
            lambda: TubeRLE.concat([TubeRLE(b"4", 2, 2, 1), TubeRLE(b"4", 4, 1, 1)]),
            "one H x W",
        ),
        (lambda: TubeRLE(b"4", 2, 2, 1).part(0, 2), "0 <= start"),
        (lambda: encode_counts(np.array([3, -1])), ">= 0"),
    ],
)
def test_malformed_input_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_frame_masks_are_those_of_the_tubes():
    masks = np.stack([striped(5, 3, 4, 0), striped(5, 3, 4, 1), striped(5, 3, 4, 7)])
    tubes, size = encode_tubes(masks), dict(height=3, width=4, num_frames=5)
    assert np.array_equal(np.stack(list(frame_masks(tubes, **size)), axis=1), masks)
    assert [m.shape for m in frame_masks([], **size)] == [(0, 3, 4)] * 5
    with pytest.raises(ValueError, match="3 x 4 over 6 frames, got 3 x 4 over 5"):
        next(frame_masks(tubes, height=3, width=4, num_frames=6))
