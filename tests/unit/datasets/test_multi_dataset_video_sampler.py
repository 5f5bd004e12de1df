"""The global sequence of clips: coverage, ranks, resume, order of datasets."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from tmt_vis.datasets import MultiDatasetVideoSampler
from tmt_vis.datasets.samplers import multi_dataset_video_sampler as module

PAPER = dict(ytvis19=1, ovis=1, uvo=0.75)
SIZES = dict(ytvis19=7, ovis=5, uvo=11)


def mixture(sizes=SIZES) -> SimpleNamespace:
    return SimpleNamespace(names=tuple(sizes), sizes=dict(sizes))


def make(monkeypatch, *, rank=0, world=1, sizes=SIZES, **options):
    monkeypatch.setattr(module, "get_dist_info", lambda: (rank, world))
    options = dict(dict(ratios=PAPER, batch_size=2, seed=3), **options)
    return MultiDatasetVideoSampler(mixture(sizes), **options)


def take(sampler, count) -> list:
    return list(islice(sampler, count))


def test_every_video_once_before_any_is_repeated(monkeypatch):
    clips = take(make(monkeypatch), 11 * 70)
    for number, size in enumerate(SIZES.values()):
        videos = [clip.video for clip in clips if clip.dataset == number]
        passes = [videos[i : i + size] for i in range(0, len(videos) - size, size)]
        assert len(passes) > 10
        assert all(sorted(one) == list(range(size)) for one in passes)
        assert len({tuple(one) for one in passes}) > 1  # shuffled anew


def test_shares_follow_the_ratios(monkeypatch):
    clips = take(make(monkeypatch), 1100)
    assert Counter(clip.dataset for clip in clips) == {0: 400, 1: 400, 2: 300}


def test_without_ratios_shares_follow_the_sizes(monkeypatch):
    clips = take(make(monkeypatch, ratios=None), 230)
    assert Counter(clip.dataset for clip in clips) == {0: 70, 1: 50, 2: 110}


def test_every_clip_has_its_own_seed(monkeypatch):
    clips = take(make(monkeypatch), 2000)
    assert len({clip.seed for clip in clips}) == 2000
    assert all(0 <= clip.seed < 2**32 for clip in clips)
    other = take(make(monkeypatch, seed=4), 2000)
    assert not {clip.seed for clip in clips} & {clip.seed for clip in other}
    assert [c.video for c in clips] != [c.video for c in other]


def per_step(sampler, steps) -> list[list]:
    clips = take(sampler, steps * sampler.batch_size)
    step = sampler.batch_size
    return [clips[i : i + step] for i in range(0, len(clips), step)]


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_steps_of_one_process(monkeypatch, world):
    one = per_step(make(monkeypatch, batch_size=2 * world), 40)
    ranks = [per_step(make(monkeypatch, rank=r, world=world), 40) for r in range(world)]
    for step, batch in enumerate(one):
        parts = [clips[step] for clips in ranks]
        assert sorted(clip for part in parts for clip in part) == sorted(batch)
        # contiguous parts, handed round
        part = (0 + step) % world
        assert parts[0] == batch[2 * part : 2 * part + 2]


def test_no_rank_is_tied_to_a_dataset(monkeypatch):
    sizes, ratios = dict(a=4, b=4), dict(a=1, b=1)
    for rank in (0, 1):
        sampler = make(
            monkeypatch, rank=rank, world=2, sizes=sizes, ratios=ratios, batch_size=1
        )
        drawn = Counter(clip.dataset for clip in take(sampler, 100))
        assert drawn == {0: 50, 1: 50}


@pytest.mark.parametrize("homogeneous", [False, True])
@pytest.mark.parametrize("start", [0, 1, 37, 1000])
def test_resume_continues_exactly(monkeypatch, homogeneous, start):
    options = dict(rank=1, world=2, homogeneous_batch=homogeneous)
    straight = take(make(monkeypatch, **options), (start + 10) * 2)[-20:]
    sampler = make(monkeypatch, **options)
    assert sampler.set_position(4 * start) == 4 * start
    assert take(sampler, 20) == straight
    assert take(sampler, 20) == straight  # a new iterator starts there again
    with pytest.raises(ValueError, match="clips must be >= 0"):
        sampler.set_position(-1)


@pytest.mark.parametrize(
    ("before", "after"),
    [((2, 2), (1, 2)), ((1, 2), (2, 2)), ((4, 2), (2, 2)), ((1, 4), (1, 2))]
    + [((2, 2), (1, 3)), ((2, 3), (2, 2)), ((1, 2), (3, 2))],
    ids=str,
)
def test_another_layout_goes_on_at_the_next_clip(monkeypatch, before, after):
    """(processes, batch size); 10 iterations were trained."""
    drawn = 10 * before[0] * before[1]
    world, batch = after
    got = []
    for rank in range(world):
        sampler = make(monkeypatch, rank=rank, world=world, batch_size=batch)
        assert sampler.set_position(drawn) == drawn
        got += take(sampler, 5 * batch)
    clips = [sampler.clip_at(drawn + i) for i in range(5 * world * batch)]
    assert sorted(got) == sorted(clips)


def test_homogeneous_batches_stay_whole_after_another_batch_size(monkeypatch):
    sampler = make(monkeypatch, homogeneous_batch=True, batch_size=4)
    assert sampler.set_position(6) == 8
    assert take(sampler, 4) == [sampler.clip_at(8 + i) for i in range(4)]


def test_order_of_the_datasets_does_not_matter(monkeypatch):
    backwards = dict(reversed(SIZES.items()))
    for options in (dict(), dict(ratios=None), dict(homogeneous_batch=True)):
        named = []
        for sizes in (SIZES, backwards):
            clips = take(make(monkeypatch, sizes=sizes, **options), 300)
            named.append([(list(sizes)[c.dataset], c.video, c.seed) for c in clips])
        assert named[0] == named[1]


def test_homogeneous_batches_hold_one_dataset_and_keep_the_shares(monkeypatch):
    options = dict(homogeneous_batch=True, batch_size=4, world=2)
    drawn = Counter()
    for rank in (0, 1):
        for batch in per_step(make(monkeypatch, rank=rank, **options), 110):
            assert len({clip.dataset for clip in batch}) == 1
            drawn.update(clip.dataset for clip in batch)
    assert drawn == {0: 320, 1: 320, 2: 240}


def test_homogeneous_batches_cover_every_video_too(monkeypatch):
    clips = take(make(monkeypatch, homogeneous_batch=True, batch_size=4), 4 * 11 * 7)
    videos = [clip.video for clip in clips if clip.dataset == 0]
    for first in range(0, len(videos) - 7, 7):
        assert sorted(videos[first : first + 7]) == list(range(7))


def steps_of(monkeypatch, count, *, start=0, world=2, **options):
    """Collect the clips of all processes, step by step."""
    ranks = []
    for rank in range(world):
        sampler = make(monkeypatch, rank=rank, world=world, **options)
        sampler.set_position(start)
        ranks.append(per_step(sampler, count))
    return [sum(parts, []) for parts in zip(*ranks, strict=True)]


def test_all_processes_stay_with_one_dataset_for_some_steps(monkeypatch):
    steps = steps_of(monkeypatch, 11 * 8, same_dataset_steps=8)
    datasets = [{clip.dataset for clip in step} for step in steps]
    assert all(len(found) == 1 for found in datasets)
    assert all(datasets[i : i + 8] == [datasets[i]] * 8 for i in range(0, 88, 8))
    drawn = Counter(clip.dataset for step in steps for clip in step)
    assert drawn == {0: 4 * 32, 1: 4 * 32, 2: 3 * 32}
    videos = Counter(c.video for step in steps for c in step if c.dataset == 0)
    assert max(videos.values()) - min(videos.values()) <= 1


@pytest.mark.parametrize("done", [1, 7, 8, 13])
def test_resume_inside_of_a_run_of_one_dataset(monkeypatch, done):
    straight = steps_of(monkeypatch, 30, same_dataset_steps=8)
    resumed = steps_of(monkeypatch, 30 - done, start=4 * done, same_dataset_steps=8)
    assert resumed == straight[done:]


def test_steps_of_one_dataset_stay_whole_in_another_layout(monkeypatch):
    sampler = make(monkeypatch, world=3, same_dataset_steps=2)
    assert sampler.set_position(10) == 12
    for step in steps_of(monkeypatch, 20, start=10, world=3, same_dataset_steps=2):
        assert len({clip.dataset for clip in step}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(same_dataset_steps=0), "same_dataset_steps must be >= 1"),
        (dict(same_dataset_steps=2, homogeneous_batch=True), "exclude each other"),
    ],
)
def test_same_dataset_steps_are_checked(monkeypatch, options, message):
    with pytest.raises(ValueError, match=message):
        make(monkeypatch, **options)


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        (dict(PAPER, coco=1), r"unknown: \['coco'\]"),
        (dict(ytvis19=1, ovis=1), r"missing: \['uvo'\]"),
        (dict(PAPER, uvo=0), "'uvo' must be a positive"),
    ],
)
def test_wrong_ratios_are_refused(monkeypatch, ratios, message):
    with pytest.raises(ValueError, match=message):
        make(monkeypatch, ratios=ratios)


def test_batch_size_must_be_positive(monkeypatch):
    with pytest.raises(ValueError, match="batch_size must be >= 1"):
        make(monkeypatch, batch_size=0)


class Echo(Dataset):
    """A mixture whose items are their own indices."""

    names, sizes = tuple(SIZES), SIZES

    def __getitem__(self, index):
        return index

    def __len__(self):
        return sum(SIZES.values())


def same(batch):
    return batch


@pytest.mark.parametrize("workers", [0, 2])
def test_runs_in_a_runner_loader_with_any_number_of_workers(workers):
    loader = Runner.build_dataloader(
        dict(
            dataset=Echo(),
            batch_size=2,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(
                type="mmdet.MultiDatasetVideoSampler", ratios=PAPER, batch_size=2
            ),
            collate_fn=same,
        ),
        seed=3,
    )
    assert isinstance(loader, DataLoader) and len(loader) == 12
    expected = loader.sampler
    batches = list(islice(loader, 6))
    assert batches == [
        [expected.clip_at(2 * s), expected.clip_at(2 * s + 1)] for s in range(6)
    ]
    loader.sampler.set_position(8)
    assert next(iter(loader)) == batches[4]
