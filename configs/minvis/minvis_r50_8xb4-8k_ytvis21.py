"""MinVIS R50 on YouTube-VIS 2021: 32 single frames per step."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/minvis.py",
    "../_base_/datasets/ytvis21.py",
    "../_base_/schedules/8k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis21"]),
    ),
)

train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets=dict(ytvis21=dict(num_frames=1))),
)
auto_scale_lr = dict(base_batch_size=32)
