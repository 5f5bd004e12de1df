"""Video Mask Transfiner with ResNet-50: SeqFormer with masks in three steps."""

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
    backbone=dict(
        type="StemResNet",
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
    ),
    head=dict(
        type="VMTHead",
        neck=dict(
            type="ChannelMapper",
            in_channels=[512, 1024, 2048],
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
            stage_channels=256,
            stem_channels=64,
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

# Only the backbone is pre-trained. The authors started from weights of COCO clips.
load_from = None
