"""GenVIS: VITA clip by clip, with a memory of queries.

A leaf adds what it adds to mask2former-vis.py. Everything in front of the video queries
is VITA's and stays as it is, so training starts from a VITA of the same dataset and
backbone (``load_from``).
"""

_base_ = "./mask2former-vis.py"

model = dict(
    type="VideoSegmentor",
    long_videos=None,
    frozen=("backbone", "head.pixel_decoder", "head.query_decoder"),
    head=dict(
        type="GenVISHead",
        window=1,  # 3 is the semi-online model
        memory=dict(max_entries=None),
        video=dict(
            encoder=dict(num_layers=6, num_heads=8, ffn_channels=2048),
            decoder=dict(num_queries=100, num_layers=3, num_heads=8, ffn_channels=2048),
        ),
    ),
)
