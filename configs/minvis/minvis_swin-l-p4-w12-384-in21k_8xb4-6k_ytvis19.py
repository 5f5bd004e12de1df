"""MinVIS Swin-L on YouTube-VIS 2019: 32 single frames per step."""

_base_ = [
    "../_base_/models/minvis_swin-l.py",
    "../_base_/datasets/ytvis19_480p.py",
    "../_base_/schedules/6k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19"])))

train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets=dict(ytvis19=dict(num_frames=1))),
)
auto_scale_lr = dict(base_batch_size=32)
