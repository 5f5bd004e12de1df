"""MinVIS with Swin-L and 200 queries."""

_base_ = "./mask2former-vis_swin-l.py"

model = dict(head=dict(per_frame=True, tracker=dict(type="QuerySimilarityTracker")))
