"""VITA with ResNet-50."""

_base_ = "./mask2former-vis_r50.py"

model = dict(
    type="VideoSegmentor",
    long_videos=None,
    head=dict(
        type="VITAHead",
        video=dict(
            encoder=dict(num_layers=6, window=6, num_heads=8, ffn_channels=2048),
            decoder=dict(num_queries=100, num_layers=3, num_heads=8, ffn_channels=2048),
        ),
        criterion=dict(loss_weights=dict(sim=0.5)),
    ),
)
