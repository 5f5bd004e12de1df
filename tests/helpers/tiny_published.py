"""A published result in miniature: data, config, released checkpoint and table."""

import json
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml
from helpers.tiny_model import build, model_cfg
from mmengine.config import Config

from tmt_vis.checkpoints import hash_of

ROOT = Path(__file__).resolve().parents[2]
HEAD = dict(label_spaces=("ytvis19",), taxonomy_modules=False)
FOLDER = "ytvis_2019"


def write_config(path: Path) -> Path:
    """Write a config as the repository's are: data below ``data/``, a Resize."""
    dataset = dict(
        type="VISDataset",
        label_space="ytvis19",
        data_root=f"data/{FOLDER}/",
        ann_file="valid.json",
        data_prefix=dict(img="valid/JPEGImages"),
        test_mode=True,
        pipeline=[
            dict(type="LoadClipFrames"),
            dict(
                type="ClipBroadcaster",
                transforms=[dict(type="Resize", scale=(99, 99), keep_ratio=True)],
            ),
            dict(type="PackClipInputs"),
        ],
    )
    model = model_cfg(**HEAD, test_cfg=dict(max_per_video=dict(ytvis19=10)))
    cfg = Config.fromfile(ROOT / "configs/_base_/default_runtime.py")
    cfg.merge_from_dict(
        dict(
            model=model,
            test_dataloader=dict(
                batch_size=1,
                num_workers=0,
                persistent_workers=False,
                sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
                dataset=dict(
                    type="MultiDatasetVideoDataset", datasets=dict(ytvis19=dataset)
                ),
            ),
            test_evaluator=dict(
                type="MultiDatasetVISEvaluator",
                metrics=dict(
                    ytvis19=dict(
                        type="VISMetric",
                        label_space="ytvis19",
                        ann_file=f"data/{FOLDER}/valid.json",
                    )
                ),
            ),
            test_cfg=dict(type="TestLoop"),
            log_level="WARNING",
        )
    )
    path.write_text(
        "\n".join(f"{key} = {value!r}" for key, value in cfg.to_dict().items())
    )
    return path


def write_released_file(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """Write the tiny model as mmdet would have; return the file and our weights."""
    weights = build(**HEAD).state_dict()
    theirs = {
        key.replace("query_decoder.", "").replace("head.", "track_head.", 1): value
        for key, value in weights.items()
        if "vocabulary" not in key
    }
    draft = folder / "draft.pth"
    torch.save({"state_dict": theirs, "meta": {}}, draft)
    path = folder / f"released-{hash_of(draft)[:8]}.pth"
    return draft.rename(path), weights


def write_table(path: Path, config: Path, *rows: dict[str, Any]) -> Path:
    """Write a table with one group of rows, which all have the config."""
    content = dict(
        metrics=["AP", "AP50"],
        datasets=dict(ytvis19=dict(title="YouTube-VIS 2019", tolerance=1.0)),
        sources=dict(
            zoo=dict(
                title="a zoo",
                url="https://zoo.invalid",
                licence=dict(name="CC BY-NC", url="https://cc.invalid", accept=True),
            )
        ),
        statements=dict(checked=dict(text="what was checked"), ap=dict(text="the AP")),
        groups=[
            dict(
                title="Tiny",
                method="Mask2Former-VIS",
                backbone="R18",
                source="zoo",
                config=str(config),
                test=dict(scale=[64, 64], backend="pillow", tracks=3),
                verified=["checked"],
                not_verified=["ap"],
                rows=list(rows),
            )
        ],
    )
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def withhold(annotations: Path) -> None:
    """Take the ground truth out of an annotation file, as the official ones are."""
    content = json.loads(annotations.read_text())
    content["annotations"] = None
    annotations.write_text(json.dumps(content))


def make_truth(annotations: Path, submission: Path) -> int:
    """Make the tracks of a submission the ground truth; return their number."""
    content = json.loads(annotations.read_text())
    with zipfile.ZipFile(submission) as archive:
        tracks = json.loads(archive.read("results.json"))
    content["annotations"] = [
        dict(id=index, iscrowd=0, **{k: v for k, v in track.items() if k != "score"})
        for index, track in enumerate(tracks, start=1)
    ]
    annotations.write_text(json.dumps(content))
    return len(tracks)
