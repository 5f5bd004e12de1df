"""Transforms of other libraries keep instances, and share their choices."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers.id_clips import id_clip, pack
from mmdet.registry import TRANSFORMS

from tmt_vis.datasets import ImageCallable, TorchvisionTransform
from tmt_vis.datasets.global_random import seeded

BOXES = {3: (2, 3, 8, 8), 9: (20, 10, 9, 7)}


def broadcast(transform, *, seed: int = 0, frames: int = 5) -> dict:
    wrapper = dict(type="ClipBroadcaster", transforms=[transform])
    with seeded(seed):
        return pack(id_clip(23, 33, [BOXES] * frames), [wrapper])


class Shift:
    """Shift by a number of pixels that a generator of its own draws."""

    def __init__(self, *, can_be_seeded: bool = True):
        self.generator = np.random.default_rng()
        if can_be_seeded:
            self.set_random_seed = self._seed

    def _seed(self, seed):
        self.generator = np.random.default_rng(seed)

    def __call__(self, *, image, masks):
        by = int(self.generator.integers(23))
        shifted = [np.roll(item, by, axis=0) for item in (image, *masks)]
        return dict(image=shifted[0], masks=shifted[1:])


def test_threads_take_turns_with_the_global_generators():
    """Each draws from its own seed, and what was there before is back afterwards."""
    together, before = threading.Barrier(2), torch.get_rng_state()

    def draw(seed):
        together.wait(5)
        with seeded(seed):
            first = np.random.random()
            time.sleep(0.02)
            return first, np.random.random()

    with ThreadPoolExecutor(2) as pool:
        drawn = list(pool.map(draw, (1, 2)))
    assert drawn == [tuple(np.random.RandomState(s).random(2)) for s in (1, 2)]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_of_its_own_is_seeded_for_the_clip():
    clips = [broadcast(ImageCallable(Shift()), seed=s)["inputs"] for s in (1, 1, 2)]
    assert all((frame == clips[0][0]).all() for frame in clips[0])
    assert (clips[0] == clips[1]).all() and not (clips[0] == clips[2]).all()
    # What that is good for: without the seed the frames go apart.
    loose = broadcast(ImageCallable(Shift(can_be_seeded=False)))["inputs"]
    assert not all((frame == loose[0]).all() for frame in loose)


def test_instances_a_callable_removes_are_absent():
    def upper_half(image, masks):
        return dict(image=image[:10], masks=[mask[:10] for mask in masks])

    packed = broadcast(ImageCallable(upper_half))
    sample = packed["data_samples"]
    assert sample.img_shape == (10, 33) and sample.gt_instances.ids.tolist() == [3]


def test_lost_masks_are_an_error():
    def forgetful(image, masks):
        return dict(image=image, masks=masks[1:])

    with pytest.raises(ValueError, match="one mask per mask, got 1 for 2"):
        broadcast(ImageCallable(forgetful))


def test_callables_are_found_by_their_name():
    transform = dict(type="ImageCallable", function="os.path.join")
    assert TRANSFORMS.build(transform).function is __import__("os").path.join
    for wrong in ("os.path.nothing", 3):
        with pytest.raises(ValueError, match="import path"):
            ImageCallable(wrong)


def test_torchvision_sees_rgb_and_returns_bgr():
    # Grayscale weighs red with 0.299, green with 0.587, blue with 0.114.
    grey = TorchvisionTransform(name="Grayscale", num_output_channels=3)
    frame = id_clip(9, 9, [{7: (1, 1, 4, 4)}])
    red = np.zeros((9, 9, 3), np.uint8)
    red[..., 2] = 200
    frame["img"] = [red]
    image = pack(frame, [dict(type="ClipBroadcaster", transforms=[grey])])["inputs"]
    assert image[0, :, 0, 0].tolist() == [59] * 3


def test_unknown_torchvision_transforms_are_refused():
    with pytest.raises(ValueError, match="no 'RandomPerspectiv'"):
        TorchvisionTransform(name="RandomPerspectiv")
