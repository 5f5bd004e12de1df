"""MinVIS Swin-L on YouTube-VIS 2019: 32 single frames per step."""

_base_ = [
    "../_base_/backbones/swin-l.py",
    "../_base_/hosts/minvis.py",
    "../_base_/datasets/ytvis19_480p.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19"]),
    ),
)

train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets=dict(ytvis19=dict(num_frames=1))),
)
auto_scale_lr = dict(base_batch_size=32)
