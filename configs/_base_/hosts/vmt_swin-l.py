"""Video Mask Transfiner with Swin-L, pre-trained on ImageNet-21k.

Swin has no map of stride 2; that of stride 4 takes its place.
"""

_base_ = "./vmt_r50.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="SwinTransformer",
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
        convert_weights=True,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/"
            "v1.0.0/swin_large_patch4_window12_384_22k.pth",
        ),
    ),
    head=dict(
        neck=dict(in_channels=[384, 768, 1536]),
        cascade=dict(stage_channels=192, stem_channels=192, compress_stem=True),
    ),
)
