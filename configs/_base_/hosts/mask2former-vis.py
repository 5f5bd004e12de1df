"""Mask2Former-VIS: the baseline, and the host of TMT-VIS.

What depends on the backbone is left out. A leaf adds it::

    model = dict(
        backbone=_base_.backbone,
        head=dict(
            num_queries=_base_.num_queries,
            pixel_decoder=dict(in_channels=_base_.feature_channels),
        ),
    )
"""

model = dict(
    type="TMTVIS",
    # Features of a video take 40 MB per frame of 384x640; a longer one is predicted in
    # windows. mmdet's Mask2FormerVideo ends at 128 frames, too.
    long_videos=dict(max_frames=128),
    data_preprocessor=dict(
        type="ClipDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    head=dict(
        type="TMTVISHead",
        pixel_decoder=dict(
            type="ClipPixelDecoder",
            strides=[4, 8, 16, 32],
            feat_channels=256,
            out_channels=256,
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=256,
                        num_heads=8,
                        num_levels=3,
                        num_points=4,
                        # The op wants batch % im2col_step == 0, and frames are the
                        # batch: any other value fails on some video length.
                        im2col_step=1,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(
                        embed_dims=256,
                        feedforward_channels=1024,
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=dict(type="ReLU", inplace=True),
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
        ),
        decoder=dict(num_layers=9, channels=256, num_heads=8, ffn_channels=2048),
        classifier=dict(type="LinearClassifier"),
        assigner=dict(
            type="TaxoHungarianAssigner",
            class_weight=2.0,
            mask_weight=5.0,
            dice_weight=5.0,
        ),
        criterion=dict(
            loss_weights=dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5),
            no_object_weight=0.1,
            points=dict(num_points=12544, oversample_ratio=3.0, importance_ratio=0.75),
        ),
        test_cfg=dict(
            # Per label space; hqytvis has that of ytvis19, ytvis22 that of ytvis21.
            max_per_video=dict(
                **dict(ytvis19=10, ytvis21=10, ovis=20, uvo=100, coco=100),
                **dict(lvvis=100, burst=100),
            )
        ),
    ),
)
