"""GenVIS with ResNet-50, online: clips of one frame.

Everything in front of the video queries is VITA's and stays as it is.
"""

_base_ = "./mask2former-vis_r50.py"

model = dict(
    type="VideoSegmentor",
    long_videos=None,
    frozen=("backbone", "head.pixel_decoder", "head.query_decoder"),
    head=dict(
        type="GenVISHead",
        window=1,
        memory=dict(max_entries=None),
        video=dict(
            encoder=dict(num_layers=6, num_heads=8, ffn_channels=2048),
            decoder=dict(num_queries=100, num_layers=3, num_heads=8, ffn_channels=2048),
        ),
        criterion=dict(loss_weights=dict(sim=0.5)),
    ),
)
