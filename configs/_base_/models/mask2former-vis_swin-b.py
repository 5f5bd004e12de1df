"""Mask2Former-VIS with Swin-B, pre-trained on ImageNet-21k.

mmdet has Swin-B and Swin-L weights of COCO panoptic segmentation only. The reference
starts from instance segmentation; all but the classifier has the same shape.
"""

_base_ = "./mask2former-vis_swin-s.py"

model = dict(
    backbone=dict(embed_dims=128, num_heads=[4, 8, 16, 32], window_size=12),
    head=dict(pixel_decoder=dict(in_channels=[128, 256, 512, 1024])),
)

load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_swin-b-p4-w12-384-in21k_8xb2-lsj-50e_coco-panoptic/"
    "mask2former_swin-b-p4-w12-384-in21k_8xb2-lsj-50e_coco-panoptic_"
    "20220329_230021-05ec7315.pth"
)
