"""VITA: a video decoder on the frame queries of a Mask2Former-VIS.

A leaf adds what it adds to mask2former-vis.py.
"""

_base_ = "./mask2former-vis.py"

model = dict(
    type="VideoSegmentor",
    # Only frame queries and mask features stay of a frame: any length is one video.
    long_videos=None,
    head=dict(
        type="VITAHead",
        frames_per_chunk=18,
        mask_store=dict(frames_in_memory=64),
        video=dict(
            encoder=dict(num_layers=6, window=6, num_heads=8, ffn_channels=2048),
            # 100 video queries with every backbone; Swin-L has 200 frame queries.
            decoder=dict(num_queries=100, num_layers=3, num_heads=8, ffn_channels=2048),
        ),
    ),
)
