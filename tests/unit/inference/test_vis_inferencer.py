"""The user's way: a config, a checkpoint, a video, and the words to look for."""

import numpy as np
import pytest
import torch
from helpers import mini_vis
from helpers.tiny_inference import (
    PIPELINE,
    TEXT_CLASSIFIER,
    WatchedFrames,
    frames,
    tiny_cfg,
    tiny_inferencer,
    write_checkpoint,
    write_config,
    write_video_file,
)
from mmengine.config import Config

import tmt_vis
from tmt_vis.datasets import VISDataset
from tmt_vis.engine import UnsafeCheckpointError
from tmt_vis.inference import (
    FrameSourceError,
    InferenceError,
    VISInferencer,
    WindowPlan,
)
from tmt_vis.models import CheckpointTaxonomyError
from tmt_vis.taxonomy import LabelSpace, TaxonomyError
from tmt_vis.text import TextEmbeddingError


def _facts(result):
    return [
        (t.id, t.name, t.source_id, t.score, t.tube.counts, t.first_frame, t.last_frame)
        for t in result.tracks
    ]


def test_package_offers_it():
    assert tmt_vis.VISInferencer is VISInferencer


def test_equals_test_dataset_and_model(tmp_path):
    """A folder of frames, two ways: through the dataset of the config, and ours."""
    video = mini_vis.moving_video(3, 5)
    root = mini_vis.write_dataset(tmp_path, [video])
    dataset = VISDataset(
        name="ytvis19", label_space="ytvis19", test_mode=True, pipeline=PIPELINE, **root
    )
    find = tiny_inferencer(several_categories=True)
    data = {key: [value] for key, value in dataset[0].items()}
    with torch.no_grad():
        sample = find.model.test_step(data)[0]
    result = find(tmp_path / "v3", label_space="ytvis19", score_thr=0.0)
    tracks, space = sample.pred_tracks, LabelSpace.load("ytvis19")
    shown = [i for i, tube in enumerate(tracks.tubes) if tube.area]
    assert len(shown) > 3
    assert [t.score for t in result.tracks] == tracks.scores[shown].tolist()
    slots = tracks.labels[shown].tolist()
    assert [t.source_id for t in result.tracks] == [space.source_ids[s] for s in slots]
    assert [t.name for t in result.tracks] == [space.names[s] for s in slots]
    assert [t.tube for t in result.tracks] == [tracks.tubes[i] for i in shown]
    names = find.model.head.vocabulary.taxonomy.names
    expected = [names[i] for i in sample.pred_taxonomy.union_ids.tolist()]
    assert [c.name for c in result.taxonomy] == expected


def test_result(inferencer):
    result = inferencer(frames(4), label_space="ovis", score_thr=0.0)
    assert (result.name, result.label_space) == ("video", "ovis")
    assert (result.height, result.width) == (32, 48)
    assert (result.num_frames, result.fps, result.truncated) == (4, 10.0, None)
    scores = [track.score for track in result.tracks]
    assert scores == sorted(scores, reverse=True)
    ids = [track.id for track in result.tracks]
    assert sorted(ids) == list(range(1, len(ids) + 1))
    assert len(result.taxonomy) == 5
    for track in result.tracks:
        present = np.flatnonzero(track.tube.decode().any(axis=(1, 2)))
        assert (track.first_frame, track.last_frame) == (present[0], present[-1])
    middle = scores[len(scores) // 2]
    above = inferencer(frames(4), label_space="ovis", score_thr=middle)
    assert _facts(above)[0][1:] == _facts(result)[0][1:]
    assert len(above.tracks) == sum(score >= middle for score in scores)


def test_first_label_space_is_the_default(inferencer):
    assert inferencer(frames(1)).label_space == "ytvis19"


def test_unknown_label_space(inferencer):
    with pytest.raises(InferenceError, match="predicts .* ytvis19, ovis, got 'uvo'"):
        inferencer(frames(1), label_space="uvo")


def test_many_windows_are_deterministic(inferencer, tmp_path):
    find = tiny_inferencer(windows=WindowPlan(5, 2))
    first, second = find(frames(14), score_thr=0.0), find(frames(14), score_thr=0.0)
    assert _facts(first) == _facts(second)
    assert all(track.tube.num_frames == 14 for track in first.tracks)


def test_taxonomy_of_a_video_is_the_best_of_its_windows():
    find = tiny_inferencer(windows=WindowPlan(5, 2))
    task = find.task(frames(14), label_space="ovis")
    packed = task.prepare(task.source.frames(), name="video")
    windows = [dict(window.compiled) for window, _ in task.engine.run(packed)]
    best = {i: max(w.get(i, 0.0) for w in windows) for i in set().union(*windows)}
    names = find.model.head.vocabulary.taxonomy.names
    found = task.run().taxonomy
    assert {c.name: c.score for c in found} == {names[i]: s for i, s in best.items()}
    scores = [category.score for category in found]
    assert scores == sorted(scores, reverse=True) and len(windows) == 4


def test_limit_of_frames(inferencer):
    source, seen = WatchedFrames(frames(9)), []
    result = inferencer(
        source,
        max_frames=4,
        progress=lambda done, expected: seen.append((done, expected)),
    )
    assert (result.num_frames, source.num_read) == (4, 4)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_truncated_video_is_flagged(inferencer, tmp_path):
    path = write_video_file(tmp_path / "clip.avi", frames(20))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    result = inferencer(path)
    assert f"{result.num_frames} of 20 frames" in result.truncated


def test_overlapping_objects_can_be_dropped(tmp_path):
    """Untrained queries see much the same: hardly any survives."""
    every = tiny_inferencer()(frames(3), score_thr=0.0)
    some = tiny_inferencer(max_iou=0.3)(frames(3), score_thr=0.0)
    assert 1 <= len(some.tracks) < len(every.tracks)
    assert _facts(some)[0][1:] == _facts(every)[0][1:]


# ------------------------------------------------------------------ vocabulary


def test_free_vocabulary(text_inferencer):
    result = text_inferencer(frames(2), vocabulary="dog, red  bus,Dragon", score_thr=0)
    assert result.label_space == "vocabulary"
    ids = {"dog": 1, "red bus": 2, "Dragon": 3}
    assert result.tracks
    assert all(ids[track.name] == track.source_id for track in result.tracks)
    assert {c.name for c in result.taxonomy} == {"dog", "red_bus", "dragon"}
    again = text_inferencer(
        frames(2), vocabulary=["dog", "red bus", "Dragon"], score_thr=0
    )
    assert _facts(again) == _facts(result)


def test_vocabulary_is_only_for_one_call(text_inferencer):
    before = text_inferencer(frames(2), label_space="ovis", score_thr=0)
    text_inferencer(frames(2), vocabulary="dog")
    with pytest.raises(FrameSourceError):
        text_inferencer(frames(2) + [np.zeros((3, 3, 3), np.uint8)], vocabulary="dog")
    assert text_inferencer.label_spaces == ("ytvis19", "ovis")
    assert _facts(
        text_inferencer(frames(2), label_space="ovis", score_thr=0)
    ) == _facts(before)


def test_words_of_the_model_itself_change_nothing(tmp_path):
    """TCM, TIM and the classifier all read the vocabulary that is given."""
    head = dict(classifier=TEXT_CLASSIFIER, label_spaces=("ovis",))
    find = tiny_inferencer(head=head)
    own = find(frames(2), score_thr=0)
    free = find(frames(2), vocabulary=LabelSpace.load("ovis"), score_thr=0)
    assert _facts(free) == _facts(own) and free.taxonomy == own.taxonomy
    other = find(frames(2), vocabulary="Person,Dog", score_thr=0)
    assert _facts(other) != _facts(own)


def test_vocabulary_from_a_file(text_inferencer, tmp_path):
    path = tmp_path / "farm.json"
    path.write_text(
        '{"name": "farm", "categories": [{"source_id": 40, "name": "hen", '
        '"prompt": "hen, a farm bird"}]}'
    )
    result = text_inferencer(frames(1), vocabulary=str(path), score_thr=0)
    assert {(t.name, t.source_id) for t in result.tracks} == {("hen", 40)}
    assert result.label_space == "farm"


def test_vocabulary_needs_a_text_classifier(inferencer):
    with pytest.raises(InferenceError, match="(?s)ytvis19, ovis.*TextSimilarityClass"):
        inferencer(frames(1), vocabulary="dog")


@pytest.mark.parametrize(
    "words, error, message",
    [
        ("", InferenceError, "names separated by commas"),
        ("dog,,cat", InferenceError, "names separated by commas"),
        ([], InferenceError, "names separated by commas"),
        ("dog,Dog", TaxonomyError, "stands for"),
        (LabelSpace.load("uvo"), InferenceError, "without text .*'other'"),
    ],
)
def test_impossible_vocabularies(text_inferencer, words, error, message):
    with pytest.raises(error, match=message):
        text_inferencer(frames(1), vocabulary=words)


def test_label_space_and_vocabulary(text_inferencer):
    with pytest.raises(InferenceError, match="got both"):
        text_inferencer(frames(1), vocabulary="dog", label_space="ovis")


def test_unknown_words_name_the_command(tmp_path):
    """Training had its vectors in a file; the words of today are not in there."""
    encoder = dict(type="OpenCLIPTextEncoder", model="RN50", pretrained="openai")
    find = tiny_inferencer(head=dict(classifier=TEXT_CLASSIFIER))
    cfg = dict(encoder=encoder, template="{}", cache_dir=str(tmp_path / "cache"))
    find.cfg.model.head.text_embeddings = cfg
    with pytest.raises(TextEmbeddingError) as caught:
        find(frames(1), vocabulary="red bus")
    message = str(caught.value)
    assert "tools/text_embeddings.py --label-spaces vocabulary.json" in message
    # The file the command asks for can be written from the message and is valid.
    path = tmp_path / "vocabulary.json"
    path.write_text(message.splitlines()[-1])
    assert LabelSpace.load(path).names == ("red bus",)


# ------------------------------------------------------------------ checkpoints


def test_checkpoint_of_other_label_spaces(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "c.pth", label_spaces=("ytvis19",))
    with pytest.raises(CheckpointTaxonomyError, match="was trained on label spaces"):
        VISInferencer(tiny_cfg(), checkpoint, "cpu")


def test_checkpoint_without_all_weights(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "c.pth", taxonomy_modules=False)
    with pytest.raises(InferenceError, match=r"lacks .*they would be random"):
        VISInferencer(tiny_cfg(), checkpoint, "cpu")


def test_checkpoint_of_other_sizes(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "c.pth", num_queries=9)
    with pytest.raises(InferenceError, match="(?s)does not fit.*size mismatch"):
        VISInferencer(tiny_cfg(), checkpoint, "cpu")


def test_checkpoint_with_more_than_the_model(tmp_path, monkeypatch):
    checkpoint, said = write_checkpoint(tmp_path / "c.pth"), []
    monkeypatch.setattr(
        "mmengine.logging.MMLogger.warning", lambda logger, text: said.append(text)
    )
    VISInferencer(tiny_cfg(taxonomy_modules=False), checkpoint, "cpu")
    assert "tensors that the config's model does not have" in said[-1]


def test_checkpoint_with_pickled_classes(tmp_path):
    torch.save(dict(state_dict={}, meta=WindowPlan()), tmp_path / "evil.pth")
    with pytest.raises(UnsafeCheckpointError, match="executes code"):
        VISInferencer(tiny_cfg(), tmp_path / "evil.pth", "cpu")


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        VISInferencer(tiny_cfg(), tmp_path / "none.pth", "cpu")


def test_options_change_a_copy_of_the_config(tmp_path):
    checkpoint, cfg = write_checkpoint(tmp_path / "c.pth"), tiny_cfg()
    path = write_config(tmp_path / "config.py", cfg)
    options = {"model.head.test_cfg.max_per_video": 3}
    for config in (cfg, path):
        find = VISInferencer(config, checkpoint, "cpu", cfg_options=options)
        assert len(find(frames(1), score_thr=0).tracks) == 3
    assert cfg.model.head.test_cfg.max_per_video == 10


@pytest.mark.parametrize(
    "pipeline, message",
    [
        ([], "no test pipeline"),
        (None, "no test pipeline"),  # a config for training only
        (PIPELINE[1:], "must begin with LoadClipFrames"),
    ],
)
def test_config_without_test_pipeline(tmp_path, pipeline, message):
    cfg = tiny_cfg()
    dataset = dict(type="VISDataset", label_space="ovis", pipeline=pipeline)
    loader = None if pipeline is None else Config(dict(dataset=dataset))
    cfg.test_dataloader = loader
    find = VISInferencer(cfg, write_checkpoint(tmp_path / "c.pth"), "cpu")
    with pytest.raises(InferenceError, match=message):
        find(frames(1))


def test_limits_per_label_space(tmp_path):
    limits = dict(ytvis19=2, ovis=4)
    head = dict(classifier=TEXT_CLASSIFIER, test_cfg=dict(max_per_video=limits))
    find = tiny_inferencer(head=head)
    for request, limit in [
        (dict(label_space="ytvis19"), 2),
        (dict(label_space="ovis"), 4),
        (dict(vocabulary="dog,cat"), 4),
    ]:
        assert len(find(frames(1), score_thr=0, **request).tracks) == limit
