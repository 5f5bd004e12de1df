"""One training step of mmdet's Mask2FormerVideo and of ours, full depth, tiny width.

Counts of operators and synchronisations depend on depth, clips, frames and objects, not
on width and size.
"""

import numpy as np
import torch
from helpers import mmdet_pair
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from tmt_vis.engine import StepCounter
from tmt_vis.structures import ClipDataSample

SIZE, FRAMES, OBJECTS = (64, 96), 2, (3, 2)
META = dict(img_shape=SIZE, ori_shape=SIZE, batch_input_shape=SIZE)


def configs():
    """Return mmdet's config and ours: R50, 6 + 9 layers, 100 queries."""
    ours, theirs, where = mmdet_pair.VIDEO
    cfg = mmdet_pair._mmdet_cfg(theirs, where, "resnet", small=True)
    head = cfg[where]
    head.num_queries = 100
    head.pixel_decoder.encoder.num_layers = 6
    head.transformer_decoder.num_layers = 9
    mine = mmdet_pair._our_cfg(ours, cfg, head)
    mine.head.criterion.points.num_points = head.train_cfg.num_points
    return cfg, mine


def build(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(cfg).train()


def clips():
    generator = torch.Generator().manual_seed(0)
    shape = (len(OBJECTS), FRAMES, 3, *SIZE)
    return torch.randn(shape, generator=generator)


def truth(count):
    masks = torch.zeros(count, FRAMES, *SIZE, dtype=torch.bool)
    for row in range(count):
        masks[row, :, 5 + 10 * row : 25 + 10 * row, 8 + 12 * row : 40 + 12 * row] = True
    return InstanceData(labels=torch.arange(count) * 11 + 3, masks=masks)


def our_losses(model):
    samples = []
    for index, count in enumerate(OBJECTS):
        meta = dict(META, label_space="ytvis19", clip_seed=index)
        sample = ClipDataSample(metainfo=meta)
        sample.gt_instances = truth(count)
        samples.append(sample)
    return model.loss(clips(), samples)


def their_losses(model):
    return model.loss(clips(), [_their_sample(count) for count in OBJECTS])


def _their_sample(count):
    objects, frames = truth(count), []
    for t in range(FRAMES):
        frame = DetDataSample(metainfo=META)
        masks = objects.masks[:, t].numpy().astype(np.uint8)
        frame.gt_instances = InstanceData(
            labels=objects.labels,
            masks=BitmapMasks(masks, *SIZE),
            instances_ids=torch.arange(count),
        )
        frames.append(frame)
    meta = dict(key_frames_inds=[0], ref_frames_inds=[1])
    return TrackDataSample(video_data_samples=frames, metainfo=meta)


def measure(model, losses):
    """Return operators, synchronisations and stored bytes of a warm step."""
    sum(losses(model).values()).backward()
    model.zero_grad(set_to_none=True)
    with StepCounter() as counter:
        values = losses(model)
        stored = counter.stored_bytes()
        sum(values.values()).backward()
    return counter.num_ops, counter.num_syncs, stored
