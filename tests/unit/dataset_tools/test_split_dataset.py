"""Held-out videos: stratified, reproducible, complete files."""

import json
import random
from collections import Counter

import pytest
from helpers.mini_vis import moving_video, native_json, write_json

from tmt_vis.dataset_tools.splitting import (
    SplitError,
    Unit,
    share_lines,
    split_annotations,
    stratify,
)
from tmt_vis.datasets import VISDataset

# The split of twelve videos in three categories, a quarter held out, seed 0.
VAL_IDS = [14, 17, 20]


def a_file(category_sets: list[tuple[int, ...]], **extra) -> dict:
    """A file whose videos show these categories, one object each."""
    videos = [
        dict(id=3 * n + 2, file_names=[f"a/{n}.jpg"], height=4, width=4, ytid=n // 2)
        for n in range(len(category_sets))
    ]
    pairs = [
        (video["id"], category)
        for video, categories in zip(videos, category_sets, strict=True)
        for category in categories
    ]
    annotations = [
        dict(id=n, video_id=video_id, category_id=category, segmentations=[None])
        for n, (video_id, category) in enumerate(pairs, start=1)
    ]
    used = sorted({category for _, category in pairs})
    categories = [dict(id=i, name=f"c{i}") for i in used]
    return dict(videos=videos, annotations=annotations, categories=categories, **extra)


def ids(part: dict) -> list[int]:
    return [video["id"] for video in part["videos"]]


@pytest.mark.parametrize("seed", range(5))
def test_every_category_is_held_out_in_proportion(seed):
    # Long-tailed: serving common categories first is off by up to 3.0 videos here.
    rng = random.Random(seed)
    weights = [1 / (n + 1) ** 1.3 for n in range(40)]
    sets = [
        tuple(sorted(set(rng.choices(range(40), weights, k=rng.randint(1, 5)))))
        for _ in range(400)
    ]
    split = split_annotations(a_file(sets), val_fraction=0.2, seed=seed)
    assert len(split.val["videos"]) == pytest.approx(80, abs=3)
    for share in split.shares:
        videos = share.train_videos + share.val_videos
        assert share.val_videos == pytest.approx(0.2 * videos, abs=1.5), share


def test_rare_categories_are_served_before_common_ones():
    # 2 of 40 videos show category 9. Drawn blindly, both parts have it in half of the
    # splits at best.
    sets = [(1,)] * 38 + [(1, 9)] * 2
    for seed in range(6):
        split = split_annotations(a_file(sets), val_fraction=0.5, seed=seed)
        (share,) = [share for share in split.shares if share.name == "c9"]
        assert (share.train_videos, share.val_videos) == (1, 1)


def test_a_category_of_one_video_stays_in_training():
    split = split_annotations(a_file([(1,)] * 9 + [(2,)]), val_fraction=0.3)
    assert split.shares[1].train_videos == 1
    assert share_lines(split)[-1] == "warning: 1 categories are in training only: c2"


def test_a_split_is_the_same_on_every_machine():
    data = a_file([(n % 3,) for n in range(12)])
    assert ids(split_annotations(data, val_fraction=0.25, seed=0).val) == VAL_IDS
    other = split_annotations(data, val_fraction=0.25, seed=1).val
    assert ids(other) != VAL_IDS
    reordered = dict(data, videos=data["videos"][::-1])
    again = split_annotations(reordered, val_fraction=0.25, seed=0).val
    assert sorted(ids(again)) == VAL_IDS


def test_parts_are_complete_disjoint_files(tmp_path):
    videos = [moving_video(n, 2, track_ids=(4, 9)) for n in (5, 6, 7, 12)]
    data = native_json(videos) | dict(info=dict(version=3), licenses=[])
    data["annotations"][0]["note"] = "kept"
    split = split_annotations(data, val_fraction=0.5)
    for key in ("videos", "annotations"):
        both = split.train[key] + split.val[key]
        assert sorted(map(json.dumps, both)) == sorted(map(json.dumps, data[key]))
    for part in (split.train, split.val):
        assert part["categories"] == data["categories"] and part["info"] == data["info"]
        write_json(tmp_path, part)
        dataset = VISDataset(
            name="d",
            label_space="ytvis19",
            ann_file="train.json",
            data_root=str(tmp_path),
        )
        assert len(dataset) == 2
    shares = {share.name: share for share in split.shares}
    assert shares["person"].train_objects == shares["person"].val_objects == 2


def test_groups_stay_together():
    sets = [(n % 4,) for n in range(20)]
    data = a_file(sets)
    split = split_annotations(data, val_fraction=0.3, group_field="ytid")
    fields = Counter(video["ytid"] for video in split.val["videos"])
    assert set(fields.values()) == {2} and len(fields) == 3
    for n, video in enumerate(data["videos"]):
        video["name"] = f"barn_{n % 5}_{n}"
    split = split_annotations(data, val_fraction=0.2, group_prefix="_")
    names = {video["name"].rpartition("_")[0] for video in split.val["videos"]}
    assert len(names) == 1 and len(split.val["videos"]) == 4


def test_units_without_categories_fill_up_the_parts():
    units = [Unit(f"v{n}", 1, {}) for n in range(10)]
    assert len(stratify(units, 0.3, seed=0)) == 3


def test_crowd_regions_are_no_objects():
    data = a_file([(1,)] * 6 + [(2,)])
    data["annotations"][-1]["iscrowd"] = 1
    split = split_annotations(data, val_fraction=0.3)
    assert split.shares[1].train_objects == split.shares[1].val_objects == 0


@pytest.mark.parametrize(
    "change, options, message",
    [
        ({}, dict(val_fraction=1.0), "must be in .0, 1., got 1.0"),
        (dict(annotations=None), {}, "'annotations' that is not empty"),
        (dict(videos=[dict(name="a")]), {}, "'videos' holds .* no integer id"),
        (dict(videos=[dict(id=2), dict(id=2)]), {}, r"unique, repeated: \[2\]"),
        (dict(annotations=[dict(id=1, video_id=99)]), {}, "video_id=99"),
        ({}, dict(group_field="city"), "no 'city' to group by; it has .*ytid"),
        ({}, dict(group_prefix="_", group_field="ytid"), "not by both"),
        ({}, dict(val_fraction=0.01), "leaves one part empty"),
        (dict(annotations=[dict(id=1, video_id=2)]), {}, "integer category_id, got N"),
        (dict(annotations=[dict(id=1, video_id=[2])]), {}, r"video_id=\[2\], which is"),
        (dict(annotations=[None]), {}, "'annotations' holds None, which has no int"),
        (dict(sequences=[], videos=None), {}, "file of BURST, which cannot be split"),
        *(
            (
                dict(annotations=[dict(id=1, video_id=2, category_id=1, iscrowd=flag)]),
                {},
                "annotation id=1: iscrowd must be 0, 1, true, false or null",
            )
            for flag in ("0", "false", [0, 0])
        ),
    ],
)
def test_what_cannot_be_split_is_refused(change, options, message):
    data = a_file([(1,), (2,), (1,)]) | change
    with pytest.raises(SplitError, match=message):
        split_annotations(data, **(dict(val_fraction=0.5) | options))


def test_the_tool_writes_both_parts(tmp_path, load_tool, capsys):
    tool = load_tool("split_dataset")
    path = write_json(tmp_path, a_file([(n % 3,) for n in range(12)]))
    train, val = tmp_path / "new" / "kept.json", tmp_path / "new" / "held.json"
    args = [path, "--val-fraction", "0.25", "--out-train", str(train)]
    assert tool.main([*args, "--out-val", str(val)]) == 0
    printed = capsys.readouterr().out
    assert "c0" in printed and "25.0%" in printed and "written:" in printed
    assert ids(json.loads(val.read_text())) == VAL_IDS
    assert len(json.loads(train.read_text())["videos"]) == 9
    assert tool.main([*args, "--out-val", str(val)]) == 1
    assert "exists; give another name" in capsys.readouterr().err
    assert tool.main([*args, "--out-val", path]) == 1
    assert "must be three files" in capsys.readouterr().err
    (tmp_path / "train.json").write_text("{")
    assert tool.main([*args, "--out-val", str(val), "--overwrite"]) == 1
    assert "not valid JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000, "is not valid JSON"),
        (f'{{"videos": [{{"id": {"9" * 5000}}}]}}', "is not valid JSON"),
    ],
)
def test_files_that_break_the_parser_are_one_line(
    tmp_path, load_tool, capsys, text, message
):
    (tmp_path / "a.json").write_text(text)
    outputs = ["--out-train", str(tmp_path / "b"), "--out-val", str(tmp_path / "c")]
    assert load_tool("split_dataset").main([str(tmp_path / "a.json"), *outputs]) == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and error[0].startswith("error: ") and message in error[0]


def test_half_a_character_is_kept(tmp_path, load_tool):
    data = a_file([(1,), (2,)])
    data["categories"][0]["name"] = "\ud83d"
    data["videos"][0]["name"] = "bär"
    outputs = [tmp_path / "train", tmp_path / "val"]
    words = [write_json(tmp_path, data), "--val-fraction", "0.5"]
    words += ["--out-train", str(outputs[0]), "--out-val", str(outputs[1])]
    assert load_tool("split_dataset").main(words) == 0
    parts = [json.loads(path.read_text()) for path in outputs]
    assert [part["categories"] for part in parts] == [data["categories"]] * 2
