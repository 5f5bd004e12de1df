"""Compare arrays with those of a golden kit, by the rules the kits state."""

import numpy as np
import torch
from helpers import golden_kit

# Of the largest absolute value of an array. The references differ from themselves, with
# another number of threads or in float64, by a tenth of it.
RELATIVE = 1e-4
_PIXELS = 3  # by which a share of foreground may differ
_AREA = 10


def check(kit, name, ours):
    """Assert that an array equals the kit's."""
    theirs = golden_kit.golden(kit)[name]
    ours = np.asarray(ours.detach() if torch.is_tensor(ours) else ours)
    assert ours.shape == theirs.shape, name
    if theirs.dtype == bool:
        assert (ours != theirs).mean() <= 1e-3, name
        return
    gap = np.abs(ours.astype(np.float64) - theirs).max()
    assert gap <= _allowed(name, theirs), (name, gap)


def _allowed(name, theirs):
    if name.endswith("fg_fraction"):
        return _PIXELS / (16 * 24)  # of stride-4 maps of 64x96
    if name.endswith("mask_area"):
        return _AREA
    if theirs.dtype.kind == "i":
        return 0
    return RELATIVE * np.abs(theirs).max()


def mean_std(x, axes=1):
    """Return mean and standard deviation over all but the first axes, (..., 2)."""
    flat = x.flatten(axes)
    return torch.stack([flat.mean(-1), flat.std(-1, correction=0)], -1)


def foreground(masks, axes):
    """Return the share of positive mask logits over all but the first axes."""
    return (masks > 0).flatten(axes).float().mean(-1)


def check_tracks(kit, tracks):
    """Compare scored tracks; those without a pixel score 0, in any order."""
    golden = golden_kit.golden(kit)
    check(kit, "final/scores", tracks.scores)
    ours = list(zip(tracks.labels.tolist(), tracks.queries.tolist(), strict=True))
    theirs = zip(golden["final/labels"], golden["final/query"], strict=True)
    theirs = [(int(label), int(query)) for label, query in theirs]
    assert sorted(ours) == sorted(theirs)
    rows = np.array([ours.index(pair) for pair in theirs])
    shown = golden["final/scores"] > 0
    assert np.array_equal(rows[shown], np.flatnonzero(shown))
    tubes = [tracks.tubes[row] for row in rows]
    check(kit, "final/mask_area", np.stack([tube.frame_areas() for tube in tubes]))
    bits = np.stack([tube.decode() for tube in tubes])[..., ::4, ::4]
    check(kit, "final/mask_bits_sample", bits)
