"""What every metric of whole videos answers; a new one adds an entry to METRICS_OF."""

import copy
import json

import numpy as np
import pytest
from mmdet.registry import METRICS

from tmt_vis.evaluation import MultiDatasetVISEvaluator, TubeMetric
from tmt_vis.structures import TubeRLE, encode_tubes

HEIGHT, WIDTH, FRAMES = 6, 8, 2
# Arguments of each metric besides dataset and annotation file.
METRICS_OF = {"VISMetric": {}}


@pytest.fixture(params=METRICS_OF)
def name(request) -> str:
    return request.param


@pytest.fixture
def cfg(name, tmp_path) -> dict:
    return dict(type=name, ann_file=_annotations(tmp_path), **METRICS_OF[name])


def _tube() -> TubeRLE:
    masks = np.zeros((1, FRAMES, HEIGHT, WIDTH), dtype=bool)
    masks[..., 1:4, 2:6] = True
    return encode_tubes(masks)[0]


def _annotations(folder) -> str:
    frames = [dict(size=[HEIGHT, WIDTH], counts=[13, 3, 3, 3, 3, 3, 3, 3, 14])] * FRAMES
    file = folder / "valid.json"
    file.write_text(
        json.dumps(
            dict(
                videos=[
                    dict(
                        id=i,
                        height=HEIGHT,
                        width=WIDTH,
                        length=FRAMES,
                        file_names=[f"{i}/{t}.jpg" for t in range(FRAMES)],
                    )
                    for i in (1, 2)
                ],
                categories=[dict(id=1, name="person")],
                annotations=[
                    dict(
                        id=i,
                        video_id=i,
                        category_id=1,
                        iscrowd=0,
                        segmentations=frames,
                    )
                    for i in (1, 2)
                ],
            )
        )
    )
    return str(file)


def _sample(video_id: int, **changes) -> dict:
    tracks = dict(tubes=[_tube()], labels=np.array([0]), scores=np.array([0.9]))
    fields = dict(dataset="ytvis19", label_space="ytvis19", pred_tracks=tracks)
    return dict(fields, video_id=video_id) | changes


def test_it_is_a_base_that_gathers(name):
    assert issubclass(METRICS.get(name), TubeMetric)


def test_every_registered_one_is_asked():
    ours = {
        cls.__name__
        for cls in METRICS.module_dict.values()
        if isinstance(cls, type) and issubclass(cls, TubeMetric)
        if cls.__module__.startswith("tmt_vis.")
    }
    assert ours == set(METRICS_OF), "a new metric adds an entry to METRICS_OF"


def test_repeated_videos_count_once_and_names_have_the_dataset(cfg):
    once = MultiDatasetVISEvaluator(dict(ytvis19=cfg))
    for video in (1, 2):
        once.process([_sample(video)])
    first = once.evaluate(2)
    twice = MultiDatasetVISEvaluator(dict(ytvis19=copy.deepcopy(cfg)))
    for video in (1, 2, 1):
        twice.process([_sample(video)])
    assert twice.evaluate(3) == pytest.approx(first, nan_ok=True)
    assert {key.split("/")[0] for key in first} <= {"ytvis19", "mean"}
    assert first and max(v for v in first.values() if not np.isnan(v)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(dataset="ovis"), "got a video of 'ovis'"),
        (dict(label_space="ovis"), "got a video of 'ovis'"),
        (dict(pred_tracks=None), "has no pred_tracks"),
    ],
)
def test_videos_of_others_are_refused(cfg, changes, message):
    metric = METRICS.build(dict(cfg, dataset="ytvis19"))
    sample = {k: v for k, v in _sample(1, **changes).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        metric.process(None, [sample])


def test_the_key_of_the_mixture_is_its_dataset(cfg):
    with pytest.raises(ValueError, match=f"is a {cfg['type']} of dataset 'ovis'"):
        MultiDatasetVISEvaluator(dict(ytvis19=dict(cfg, dataset="ovis")))


def test_a_sub_class_needs_no_entry_in_the_evaluator(cfg):
    class Counted(TubeMetric):
        def __init__(self, *, dataset):
            super().__init__(dataset=dataset)

        def collect(self, sample):
            return len(sample["pred_tracks"]["tubes"])

        def compute(self, videos):
            return {"tracks": sum(videos.values())}

    evaluator = MultiDatasetVISEvaluator(dict(ytvis19=dict(type=Counted)))
    for video in (1, 2, 2):
        evaluator.process([_sample(video)])
    assert evaluator.evaluate(3) == {"ytvis19/tracks": 2}
