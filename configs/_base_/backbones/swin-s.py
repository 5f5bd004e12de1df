"""Swin-S."""

backbone = dict(
    type="SwinTransformer",
    embed_dims=96,
    depths=[2, 2, 18, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
    drop_path_rate=0.3,
)
feature_channels = [96, 192, 384, 768]

# Put into ``backbone`` to start from ImageNet.
imagenet = dict(
    convert_weights=True,
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://github.com/SwinTransformer/storage/releases/download/"
        "v1.0.0/swin_small_patch4_window7_224.pth",
    ),
)

# COCO instance segmentation weights of mmdet's Mask2Former, which has 100 queries.
num_queries = 100
load_from = (
    "https://download.openmmlab.com/mmdetection/v3.0/mask2former/"
    "mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco/"
    "mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco_20220504_001756-c9d0c4f2.pth"
)
