"""MinVIS with Swin-L and 200 queries."""

_base_ = "./mask2former-vis_swin-l.py"

model = dict(
    head=dict(
        scope=dict(type="FrameScope", tracker=dict(type="QuerySimilarityTracker"))
    )
)
