"""Swin-L, pre-trained on ImageNet-21k.

mmdet has Swin-B and Swin-L weights of COCO panoptic segmentation only. The reference
starts from instance segmentation; all but the classifier has the same shape.
"""

backbone = dict(
    type="SwinTransformer",
    embed_dims=192,
    depths=[2, 2, 18, 2],
    num_heads=[6, 12, 24, 48],
    window_size=12,
    drop_path_rate=0.3,
)
feature_channels = [192, 384, 768, 1536]

# Put into ``backbone`` to start from ImageNet-21k.
imagenet = dict(
    convert_weights=True,
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://github.com/SwinTransformer/storage/releases/download/"
        "v1.0.0/swin_large_patch4_window12_384_22k.pth",
    ),
)

# COCO panoptic segmentation weights of mmdet's Mask2Former, which has 200 queries.
num_queries = 200
load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_swin-l-p4-w12-384-in21k_16xb1-lsj-100e_coco-panoptic/"
    "mask2former_swin-l-p4-w12-384-in21k_16xb1-lsj-100e_coco-panoptic_"
    "20220407_104949-82f8d28d.pth"
)
