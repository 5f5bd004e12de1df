"""IDOL: Deformable DETR with dynamic masks, tracked by embeddings.

What depends on the backbone is left out. A leaf adds it, and that only the backbone is
pre-trained::

    model = dict(
        backbone=dict(_base_.backbone, out_indices=(1, 2, 3), **_base_.imagenet),
        head=dict(neck=dict(in_channels=_base_.feature_channels[1:])),
    )
    load_from = None

ResNets have ``frozen_stages=1``. IDOL starts from its own weights of COCO pairs:
convert them with tools/convert_checkpoint.py --arch idol --source-labels coco.
"""

model = dict(
    type="VideoSegmentor",
    data_preprocessor=dict(
        type="ClipDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    head=dict(
        type="IDOLHead",
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
        assigner=dict(type="QuerySimOTAAssigner"),
        criterion=dict(
            loss_weights=dict(
                cls=2.0, bbox=5.0, giou=2.0, mask=2.0, dice=5.0, taxo=0.5
            ),
            contrast=dict(weight=2.0, cosine_weight=3.0),
        ),
        selection=dict(threshold=0.1, box_nms=0.9),
        # OVIS: mask_nms and new_track of 0.3.
        tracker=dict(type="EmbeddingTracker", mask_nms=0.5, new_track=0.2),
        # One entry for each category of a track that is likelier than this.
        test_cfg=dict(
            max_per_video=dict(ytvis19=100, ytvis21=100, ovis=100, uvo=100, coco=100),
            min_score=0.05,
        ),
    ),
)
