"""Preset ``strict``: Eq. 8 to the letter, without our loss on the scores S.

The Linear of Eq. 5 learns through a straight-through gate on E_T instead (A8).
"""

_base_ = "./tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo.py"

model = dict(head=dict(compilation=dict(score_supervision="gate")))
