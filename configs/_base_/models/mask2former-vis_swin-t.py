"""Mask2Former-VIS with Swin-T."""

_base_ = "./mask2former-vis_r50.py"

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
