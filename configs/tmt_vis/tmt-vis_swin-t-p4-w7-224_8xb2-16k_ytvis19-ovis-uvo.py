"""TMT-VIS Swin-T: another backbone, tested at a short side of 480."""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="SwinTransformer",
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.3,
    ),
    head=dict(pixel_decoder=dict(in_channels=[96, 192, 384, 768])),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco/"
    "mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco_20220508_091649-01b0f990.pth"
)

test_pipeline = [
    dict(type="LoadClipFrames"),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(1333, 480), keep_ratio=True)],
    ),
    dict(type="PackClipInputs"),
]
# The catalogue too, for children that pick further datasets from it.
val_sets = {name: dict(pipeline=test_pipeline) for name in _base_.val_sets}
picked = _base_.val_dataloader.dataset.datasets
val_dataloader = dict(dataset=dict(datasets={name: val_sets[name] for name in picked}))
test_dataloader = val_dataloader
del picked
