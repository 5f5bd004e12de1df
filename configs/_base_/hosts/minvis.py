"""MinVIS: Mask2Former on single frames, tracked by its queries."""

_base_ = "./mask2former-vis.py"

model = dict(head=dict(per_frame=True, tracker=dict(type="QuerySimilarityTracker")))
