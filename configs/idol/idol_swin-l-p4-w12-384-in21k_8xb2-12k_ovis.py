"""IDOL Swin-L on OVIS: 16 pairs per step."""

_base_ = [
    "../_base_/models/idol_swin-l.py",
    "../_base_/datasets/idol_ovis.py",
    "../_base_/schedules/idol_12k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    head=dict(
        taxonomy=dict(label_spaces=["ovis"]),
        tracker=dict(mask_nms=0.3, new_track=0.3),
    )
)
auto_scale_lr = dict(base_batch_size=16)
