"""Mask2Former-VIS with Swin-L and 200 queries, pre-trained on ImageNet-21k."""

_base_ = "./mask2former-vis_swin-b.py"

model = dict(
    backbone=dict(embed_dims=192, num_heads=[6, 12, 24, 48]),
    head=dict(
        num_queries=200,
        pixel_decoder=dict(in_channels=[192, 384, 768, 1536]),
    ),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_swin-l-p4-w12-384-in21k_16xb1-lsj-100e_coco-panoptic/"
    "mask2former_swin-l-p4-w12-384-in21k_16xb1-lsj-100e_coco-panoptic_"
    "20220407_104949-82f8d28d.pth"
)
