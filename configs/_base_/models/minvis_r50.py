"""MinVIS with ResNet-50: Mask2Former on single frames, tracked by its queries."""

_base_ = "./mask2former-vis_r50.py"

model = dict(head=dict(per_frame=True, tracker=dict(type="QuerySimilarityTracker")))
