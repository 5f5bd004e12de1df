"""Video Mask Transfiner: SeqFormer with masks in three steps.

What depends on the backbone is left out. A leaf adds it, and that only the backbone is
pre-trained. Where there is no map of stride 2, that of stride 4 takes its place::

    model = dict(
        backbone=dict(_base_.backbone, **_base_.imagenet),
        head=dict(
            neck=dict(in_channels=_base_.feature_channels[1:]),
            cascade=dict(
                stage_channels=_base_.feature_channels[0],
                stem_channels=_base_.feature_channels[0],
                compress_stem=True,
            ),
        ),
    )
    load_from = None

ResNets have the type ``StemResNet``, ``frozen_stages=1``, and 64 ``stem_channels``.
"""

model = dict(
    type="VideoSegmentor",
    data_preprocessor=dict(
        type="ClipDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        test_size_divisor=1,  # nothing is padded at test
    ),
    head=dict(
        type="VMTHead",
        neck=dict(
            type="ChannelMapper",
            out_channels=256,
            kernel_size=1,
            bias=True,  # "auto" has none in front of a norm; the published weights do
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=None,
            num_outs=4,
        ),
        query_decoder=dict(
            channels=256,
            num_queries=300,
            encoder=dict(num_layers=6, num_heads=8, num_points=4, ffn_channels=1024),
            decoder=dict(num_layers=6, num_heads=8, num_points=4, ffn_channels=1024),
        ),
        cascade=dict(
            clamp_boxes=False,  # True: boxes that begin outside of the frame are cut
            pixels=dict(max_pixels=12000, order="random", seed=42),
            refiner=dict(num_layers=3, num_heads=4, ffn_channels=2048),
        ),
        assigner=dict(
            type="ClipBoxAssigner", class_weight=1.0, box_weight=5.0, giou_weight=2.0
        ),
        criterion=dict(
            loss_weights=dict(
                cls=2.0,
                bbox=5.0,
                giou=2.0,
                mask=2.0,
                dice=5.0,
                mask_fine=2.0,
                dice_fine=5.0,
                mask_refined=2.0,
                dice_refined=5.0,
                outline=5.0,
            )
        ),
        test_cfg=dict(max_per_video=dict(ytvis19=10)),
    ),
    long_videos=dict(max_frames=128, windows=dict(length=36, overlap=6)),
)
