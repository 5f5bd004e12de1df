"""TMT-VIS on MinVIS R50: YouTube-VIS 2019, OVIS and UVO, 32 single frames per step."""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/minvis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=_base_.backbone,
    head=dict(
        **_base_.taxonomy_modules,
        # "video": one compiled taxonomy for all frames that are tested together.
        test_taxonomy="frame",
        num_queries=_base_.num_queries,
        pixel_decoder=dict(in_channels=_base_.feature_channels),
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
    ),
)

frame = dict(num_frames=1)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets=dict(ytvis19=frame, ovis=frame, uvo=frame)),
)
auto_scale_lr = dict(base_batch_size=32)
del frame
